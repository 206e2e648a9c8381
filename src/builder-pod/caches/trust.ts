import { type AbortOptions, CodedError, HOUSE, type ImageReference } from '../../base/index.ts';
import type { Repository } from '../../oci/registry-client/index.ts';
import {
  checkTrustedRoot,
  demandedSigners,
  identityVerifier,
  type SignatureVerifier,
  type SignedImage,
  SigningKey,
  signImage,
  type TrustedIdentity,
  type TrustedRepositories,
  VerifyingKey,
  verifySignature,
} from '../../oci/signature/index.ts';
import type { StreamPool, WorkerPool } from '../../sys/index.ts';
import { type ExportOptions, openSigner, type Signing, signingOptions } from '../exporters/index.ts';
import type { StoreAccess } from './store.ts';

export interface TrustDeps {
  /** A secret of the client of these sessions. */
  readonly secret: (id: string, sessions: readonly string[], options: AbortOptions) => Promise<Uint8Array | undefined>;
  /** What this builder demands of caches, whatever its clients say. */
  readonly trusted: readonly TrustedRepositories[];
  /** Reads long manifests of signatures. */
  readonly documents?: WorkerPool | undefined;
  /** The thread in which sigstore's services are talked to, and certificates are verified. */
  readonly streams: StreamPool;
}

const IDENTITY_ATTRIBUTES = ['verify-identity', 'verify-issuer', 'verify-trusted-root'] as const;
/** Attributes that name keys and identities, which caches in registries alone can have. */
const TRUST_ATTRIBUTES = [
  ...(['sign-key', 'sign-password', 'verify-key'] as const),
  ...(['sign-identity-token', 'sign-fulcio-url', 'sign-rekor-url', 'sign-tlog'] as const),
  ...IDENTITY_ATTRIBUTES,
] as const;

/** What may be read of a cache in a registry, and how it is signed. */
export interface CacheTrust {
  /** @throws CodedError SIGNATURE_UNTRUSTED, and whatever keeps it from being found out */
  readonly check: ((repository: Repository, image: SignedImage, access: StoreAccess) => Promise<void>) | undefined;
  readonly sign: ((repository: Repository, image: SignedImage, access: StoreAccess) => Promise<unknown>) | undefined;
}

/**
 * What a client asks for with `verify-key` or `verify-identity`, and how it signs, and what the builder demands of the repository: both have to be met. Who signs takes up, with `merge`, only what is signed already: with
 * the same key, or by who is to have signed what is read.
 * @throws CodedError CACHE_ATTRIBUTE, EXPORT_ATTRIBUTE, VERIFYING_KEY
 */
export function cacheTrust(
  reference: ImageReference,
  options: ExportOptions,
  use: 'importer' | 'exporter',
  { secret, trusted, documents, streams }: TrustDeps,
): CacheTrust {
  const worker = documents && { pool: documents, owner: HOUSE };
  for (const name of TRUST_ATTRIBUTES) checked(options, name);
  const signing = use === 'exporter' ? signingOptions(options, true) : undefined;
  if (use === 'importer' && TRUST_ATTRIBUTES.some((name) => name.startsWith('sign-') && options.text(name)))
    throw attributeError('a cache that is read is not signed', 'give sign-key to what is exported');
  const verifyKey = options.text('verify-key');
  const verifyIdentity = identityOf(options);
  const demanded = demandedSigners(reference, trusted);

  const get = async (id: string, { what, file }: Given, { sessions, signal }: StoreAccess) => {
    const value = await secret(id, sessions(), { signal });
    if (value !== undefined) return value;
    throw CodedError.of('SECRET_MISSING', `the ${what}, secret ${id}: not found`, {
      hint: `give it to the build, e.g. --secret id=${id},src=${file}`,
    });
  };
  // Asked for each time, and kept no longer.
  const asked = async (access: StoreAccess): Promise<readonly SignatureVerifier[]> => [
    ...(signing?.by.kind === 'key' ? [(await ownKey(signing.by, access)).verifying] : []),
    ...(verifyKey === undefined ? [] : await verifyingKeys(verifyKey, (id) => get(id, PUBLIC_KEY, access))),
    ...(verifyIdentity === undefined
      ? []
      : [identityVerifier([await withRoot(verifyIdentity, access)], streams, access)]),
  ];
  const ownKey = async ({ key, password }: Extract<Signing['by'], { kind: 'key' }>, access: StoreAccess) =>
    await SigningKey.parse(
      await get(key, SIGNING_KEY, access),
      password === undefined ? undefined : await secret(password, access.sessions(), access),
    );
  const withRoot = async ({ rootId, ...by }: AskedIdentity, access: StoreAccess): Promise<TrustedIdentity> => {
    const root = await get(rootId, TRUSTED_ROOT, access);
    checkTrustedRoot(root);
    return { ...by, root };
  };
  const isAsked = signing !== undefined || verifyKey !== undefined || verifyIdentity !== undefined;
  return {
    check:
      !isAsked && demanded === undefined
        ? undefined
        : async (repository, image, access) => {
            const reading = { signal: access.signal, worker };
            if (isAsked) await verifySignature(repository, image, await asked(access), reading);
            if (demanded === undefined) return;
            const { keys, identities } = demanded;
            const by = identities.length === 0 ? keys : [...keys, identityVerifier(identities, streams, access)];
            await verifySignature(repository, image, by, reading);
          },
    sign:
      signing === undefined
        ? undefined
        : async (repository, image, access) =>
            await signImage(repository, image, await openSigner(signing, { secret, streams }, access), {
              ...{ signal: access.signal, worker },
            }),
  };
}

/** What a secret has, and what its file is mostly called. */
interface Given {
  readonly what: string;
  readonly file: string;
}
const SIGNING_KEY: Given = { what: 'signing key', file: 'cosign.key' };
const PUBLIC_KEY: Given = { what: 'public key', file: 'cosign.pub' };
const TRUSTED_ROOT: Given = { what: 'trusted root', file: 'trusted_root.json' };

interface AskedIdentity extends Omit<TrustedIdentity, 'root'> {
  readonly rootId: string;
}

function identityOf(options: ExportOptions): AskedIdentity | undefined {
  const [identity, issuer, rootId] = IDENTITY_ATTRIBUTES.map((name) => options.text(name));
  if (identity === undefined && issuer === undefined && rootId === undefined) return undefined;
  if (identity !== undefined && issuer !== undefined && rootId !== undefined) return { identity, issuer, rootId };
  throw attributeError(
    `${IDENTITY_ATTRIBUTES.join(', ')} are given together, or none of them`,
    'say who is to have signed, who vouches for that, and the id of a secret with the trusted root',
  );
}

/** Refuses keys where there is nothing to sign. @throws CodedError CACHE_ATTRIBUTE */
export function refuseTrust(type: string, options: ExportOptions): void {
  const given = TRUST_ATTRIBUTES.find((name) => checked(options, name) !== undefined);
  if (given === undefined) return;
  throw attributeError(
    `${given} is not possible with a cache of type ${type}`,
    type === 'inline'
      ? 'it is part of its image: sign that, with sign-key of the output, and import it as type=registry with verify-key'
      : 'signatures lie beside what they are of in a registry: use type=registry',
  );
}

/** As it was given. @throws CodedError for an empty one, which would demand nothing, and for a key where an id belongs, of which nothing is said again */
function checked(options: ExportOptions, name: (typeof TRUST_ATTRIBUTES)[number]): string | undefined {
  const value = options.text(name);
  // A key may have no password, and services their defaults.
  if (value === '' && /^sign-(?:password|fulcio-url|rekor-url|tlog)$/.test(name)) return undefined;
  if (value === '') throw attributeError(`${name} is empty`, 'give the id of a secret with the key, or leave it out');
  if (value === undefined || !isPem(value)) return value;
  if (name === 'verify-key') VerifyingKey.parse(value);
  else
    throw attributeError(
      `${name} is the id of a secret, and a key was given`,
      `give it to the build as a secret: --secret id=ID,src=cosign.key, and ${name}=ID`,
    );
  return value;
}

async function verifyingKeys(
  value: string,
  get: (id: string) => Promise<Uint8Array>,
): Promise<readonly VerifyingKey[]> {
  return VerifyingKey.parse(isPem(value) ? value : await get(value));
}

function isPem(value: string): boolean {
  return value.includes('-----BEGIN ');
}

function attributeError(what: string, hint: string): CodedError {
  return CodedError.of('CACHE_ATTRIBUTE', what, { hint });
}
