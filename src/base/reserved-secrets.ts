/** What ids of secrets begin with that the builder itself uses: no step and no source gets them, whatever its Dockerfile asks for. */
export const RESERVED_SECRETS = 'slipway.build/';
/** The key that an image is signed with, and its password. */
export const SIGNING_KEY_SECRET = `${RESERVED_SECRETS}signing-key`;
/** The OIDC token of who signs without a key of his own. */
export const SIGNING_TOKEN_SECRET = `${RESERVED_SECRETS}identity-token`;
export const SIGNING_PASSWORD_SECRET = `${RESERVED_SECRETS}signing-password`;
/** What a cache is opened with: a key of a Secret. */
export const cacheSecret = (secret: string, key: string): string => `${RESERVED_SECRETS}cache/${secret}/${key}`;
