import { type AbortOptions, CodedError, HOUSE, type ImageReference } from '../../base/index.ts';
import type { Repository } from '../../oci/registry-client/index.ts';
import {
  demandedKeys,
  keySigner,
  type SignedImage,
  SigningKey,
  signImage,
  type TrustedRepositories,
  VerifyingKey,
  verifySignature,
} from '../../oci/signature/index.ts';
import type { WorkerPool } from '../../sys/index.ts';
import type { ExportOptions } from '../exporters/index.ts';
import type { StoreAccess } from './store.ts';

export interface TrustDeps {
  /** A secret of the client of these sessions. */
  readonly secret: (id: string, sessions: readonly string[], options: AbortOptions) => Promise<Uint8Array | undefined>;
  /** What this builder demands of caches, whatever its clients say. */
  readonly trusted: readonly TrustedRepositories[];
  /** Reads long manifests of signatures. */
  readonly documents?: WorkerPool | undefined;
}

/** Attributes that name keys, which caches in registries alone can have. */
const TRUST_ATTRIBUTES = ['sign-key', 'sign-password', 'verify-key'] as const;

/** What may be read of a cache in a registry, and how it is signed. */
export interface CacheTrust {
  /** @throws CodedError SIGNATURE_UNTRUSTED, and whatever keeps it from being found out */
  readonly check: ((repository: Repository, image: SignedImage, access: StoreAccess) => Promise<void>) | undefined;
  readonly sign: ((repository: Repository, image: SignedImage, access: StoreAccess) => Promise<unknown>) | undefined;
}

/**
 * What a client asks for with `verify-key`, `sign-key` and `sign-password`, and what the builder demands of the repository: both have to be met. Who signs takes up, with `merge`, only what is signed already: with
 * the same key, or one of `verify-key`.
 * @throws CodedError CACHE_ATTRIBUTE, VERIFYING_KEY
 */
export function cacheTrust(
  reference: ImageReference,
  options: ExportOptions,
  use: 'importer' | 'exporter',
  { secret, trusted, documents }: TrustDeps,
): CacheTrust {
  const worker = documents && { pool: documents, owner: HOUSE };
  const [signKey, password, verifyKey] = TRUST_ATTRIBUTES.map((name) => keyId(options, name));
  if (use === 'importer' && (signKey ?? password) !== undefined)
    throw attributeError('a cache that is read is not signed', 'give sign-key to what is exported');
  if (password !== undefined && signKey === undefined)
    throw attributeError('sign-password is given without sign-key', 'add sign-key=ID, the secret with the key');
  const demanded = demandedKeys(reference, trusted);

  const get = async (id: string, what: string, { sessions, signal }: StoreAccess) => {
    const value = await secret(id, sessions(), { signal });
    if (value !== undefined) return value;
    throw CodedError.of('SECRET_MISSING', `the ${what}, secret ${id}: not found`, {
      hint: `give it to the build, e.g. --secret id=${id},src=${what === 'public key' ? 'cosign.pub' : 'cosign.key'}`,
    });
  };
  // Asked for each time, and kept no longer.
  const signing = async (id: string, access: StoreAccess) =>
    await SigningKey.parse(
      await get(id, 'signing key', access),
      password === undefined ? undefined : await secret(password, access.sessions(), access),
    );
  const verifying = async (access: StoreAccess): Promise<readonly VerifyingKey[]> => [
    ...(signKey === undefined ? [] : [(await signing(signKey, access)).verifying]),
    ...(verifyKey === undefined ? [] : await verifyingKeys(verifyKey, (id) => get(id, 'public key', access))),
  ];
  const isAsked = signKey !== undefined || verifyKey !== undefined;
  return {
    check:
      !isAsked && demanded === undefined
        ? undefined
        : async (repository, image, access) => {
            const reading = { signal: access.signal, worker };
            if (isAsked) await verifySignature(repository, image, await verifying(access), reading);
            if (demanded !== undefined) await verifySignature(repository, image, demanded, reading);
          },
    sign:
      signKey === undefined
        ? undefined
        : async (repository, image, access) =>
            await signImage(repository, image, keySigner(await signing(signKey, access)), {
              ...{ signal: access.signal, worker },
            }),
  };
}

/** Refuses keys where there is nothing to sign. @throws CodedError CACHE_ATTRIBUTE */
export function refuseTrust(type: string, options: ExportOptions): void {
  const given = TRUST_ATTRIBUTES.find((name) => keyId(options, name) !== undefined);
  if (given === undefined) return;
  throw attributeError(
    `${given} is not possible with a cache of type ${type}`,
    type === 'inline'
      ? 'it is part of its image: sign that, with sign-key of the output, and import it as type=registry with verify-key'
      : 'signatures lie beside what they are of in a registry: use type=registry',
  );
}

/** The id of a secret, or public keys themselves. @throws CodedError for an empty one, which would demand nothing, and for a key where an id belongs, of which nothing is said again */
function keyId(options: ExportOptions, name: (typeof TRUST_ATTRIBUTES)[number]): string | undefined {
  const value = options.text(name);
  // A key may have no password.
  if (value === '' && name === 'sign-password') return undefined;
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
