import { createHash, createPrivateKey, createPublicKey, type KeyObject, scrypt, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import { CodedError } from '../../base/index.ts';
import { VerifyingKey } from './verifying-key.ts';

/** How `cosign generate-key-pair` keeps a key: PKCS #8 in a NaCl secret box, its key made of a password. */
const SEALED = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/;
/** Sealed as OpenSSL does it, where the file says how long that takes to open. */
const SEALED_BY_OPENSSL = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/;
/** A longer one takes long to sign with. */
const MAX_RSA_BITS = 8192;
/** Memory for a password's key, in bytes: twice what cosign takes. */
const MAX_SCRYPT_BYTES = 128 << 20;

const base64 = z.string().transform((text) => Buffer.from(text, 'base64'));
const sealedKey = z.object({
  kdf: z.object({
    name: z.literal('scrypt'),
    // cosign's are 32,768 or 65,536, 8 and 1.
    params: z.object({
      N: z
        .int()
        .min(2)
        .max(1 << 17),
      r: z.int().min(1).max(8),
      p: z.literal(1),
    }),
    salt: base64,
  }),
  cipher: z.object({ name: z.literal('nacl/secretbox'), nonce: base64 }),
  ciphertext: base64,
});

const derive = promisify<Buffer, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt);

// In a thread of Node's own: with a long key it takes many milliseconds.
const signInThread = promisify<'sha256' | null, Uint8Array, KeyObject, Buffer>(sign);

/** A private key that signs as cosign does: ECDSA and RSA over SHA-256, Ed25519. */
export class SigningKey {
  readonly #key: KeyObject;
  readonly #public: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
    this.#public = createPublicKey(key);
  }

  /** Of a PEM file: cosign's, sealed with the password, or an open one (PKCS #8, EC, RSA). @throws CodedError SIGNING_KEY */
  static async parse(pem: Uint8Array, password: Uint8Array | undefined): Promise<SigningKey> {
    const text = Buffer.from(pem).toString('latin1');
    const sealed = SEALED.exec(text)?.[1];
    const key = sealed === undefined ? openKey(text) : await openSealed(sealed, password);
    if (!['ec', 'rsa', 'ed25519'].includes(key.asymmetricKeyType ?? ''))
      throw refuse(`a key of type ${key.asymmetricKeyType} does not sign images`);
    if ((key.asymmetricKeyDetails?.modulusLength ?? 0) > MAX_RSA_BITS)
      throw refuse(`it has ${key.asymmetricKeyDetails?.modulusLength} bits, and at most ${MAX_RSA_BITS} are used`);
    return new SigningKey(key);
  }

  /** Of one that is at hand. */
  static of(key: KeyObject): SigningKey {
    return new SigningKey(key);
  }

  get publicPem(): string {
    return this.#public.export({ type: 'spki', format: 'pem' }).toString();
  }

  /** By which it is known: the SHA-256 of the public key (SPKI), in hex. */
  get id(): string {
    return createHash('sha256')
      .update(this.#public.export({ type: 'spki', format: 'der' }))
      .digest('hex');
  }

  /** For those that sign in a thread. */
  get forTasks(): { readonly key: KeyObject; readonly hash: 'sha256' | null } {
    return { key: this.#key, hash: this.#digest };
  }

  async sign(payload: Uint8Array): Promise<Buffer> {
    return await signInThread(this.#digest, payload, this.#key);
  }

  /** What others verify with. */
  get verifying(): VerifyingKey {
    return VerifyingKey.of(this.#public);
  }

  get #digest(): 'sha256' | null {
    return this.#key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  }
}

function openKey(text: string): KeyObject {
  if (SEALED_BY_OPENSSL.test(text))
    throw refuse(
      'it is sealed otherwise than by cosign',
      undefined,
      'give it in the open, or import it: cosign import-key-pair',
    );
  try {
    return createPrivateKey({ key: text, format: 'pem' });
  } catch (error) {
    throw refuse('the secret holds no private key in PEM form', error);
  }
}

async function openSealed(text: string, password: Uint8Array = new Uint8Array()): Promise<KeyObject> {
  let sealed: z.infer<typeof sealedKey>;
  try {
    sealed = sealedKey.parse(JSON.parse(Buffer.from(text, 'base64').toString('utf8')));
  } catch (error) {
    throw refuse('the sealed private key is malformed', error);
  }
  // Only builds that sign with such a key need it.
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js');
  const { params, salt } = sealed.kdf;
  try {
    const key = await derive(Buffer.from(password), salt, 32, { ...params, maxmem: MAX_SCRYPT_BYTES });
    const opened = xsalsa20poly1305(key, sealed.cipher.nonce).decrypt(sealed.ciphertext);
    return createPrivateKey({ key: Buffer.from(opened), format: 'der', type: 'pkcs8' });
  } catch (error) {
    throw refuse('the private key does not open with the password', error);
  }
}

function refuse(
  why: string,
  cause?: unknown,
  hint = 'make one with cosign generate-key-pair, and give its password as well',
): CodedError {
  return CodedError.of('SIGNING_KEY', `signing key: ${why}`, { cause, hint });
}
