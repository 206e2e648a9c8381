import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { CodedError } from '../../base/index.ts';

/** A public key in a text that may have several; nothing else in PEM form is one. */
const BLOCK = /-----BEGIN (PUBLIC KEY|RSA PUBLIC KEY)-----[A-Za-z0-9+/=\s]+-----END \1-----/g;
const PRIVATE = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
/** A longer text holds no keys that anybody made. */
const MAX_TEXT_BYTES = 64 << 10;
/** Of one text: those that are trusted now, and those that will be. */
const MAX_KEYS = 16;
const RSA_BITS = { min: 2048, max: 8192 };
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

// In a thread of Node's own: who can write a signature chooses how many there are.
const verifyInThread = promisify(verify);

/** A public key for signatures as cosign makes them: ECDSA and RSA over SHA-256, Ed25519. */
export class VerifyingKey {
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
  }

  /** Those of a PEM text (`cosign.pub`), one or several. @throws CodedError VERIFYING_KEY */
  static parse(pem: Uint8Array | string): readonly VerifyingKey[] {
    const text = typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1');
    if (text.length > MAX_TEXT_BYTES) throw refuse(`it has more than ${MAX_TEXT_BYTES} bytes`);
    if (PRIVATE.test(text)) throw refuse('it is a private key, which nobody but who signs should have');
    const blocks = text.match(BLOCK) ?? [];
    if (blocks.length === 0) throw refuse('there is no public key in PEM form');
    if (blocks.length > MAX_KEYS) throw refuse(`there are ${blocks.length} keys, and at most ${MAX_KEYS} are taken`);
    return blocks.map(parseOne);
  }

  /** @param key public */
  static of(key: KeyObject): VerifyingKey {
    return new VerifyingKey(key);
  }

  async verify(payload: Uint8Array, signature: Uint8Array): Promise<boolean> {
    const digest = this.#key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    try {
      return await verifyInThread(digest, payload, this.#key, signature);
    } catch {
      // What is no signature of its kind at all.
      return false;
    }
  }
}

function parseOne(block: string): VerifyingKey {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: block, format: 'pem' });
  } catch (error) {
    throw refuse('a public key is malformed', error);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength = 0, namedCurve = '' } = {} } = key;
  if (type === 'rsa' && (modulusLength < RSA_BITS.min || modulusLength > RSA_BITS.max))
    throw refuse(`it has ${modulusLength} bits; RSA keys have ${RSA_BITS.min} to ${RSA_BITS.max}`);
  if (type === 'ec' && !CURVES.has(namedCurve)) throw refuse(`signatures on the curve ${namedCurve} are not verified`);
  if (type !== 'rsa' && type !== 'ec' && type !== 'ed25519')
    throw refuse(`a key of type ${type} verifies no signatures of images`);
  return VerifyingKey.of(key);
}

function refuse(why: string, cause?: unknown): CodedError {
  return CodedError.of('VERIFYING_KEY', `public key: ${why}`, {
    cause,
    hint: 'give what cosign generate-key-pair wrote as cosign.pub: ECDSA, RSA or Ed25519 in PEM form',
  });
}
