import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { type AbortOptions, CodedError } from '../../base/index.ts';
import { type StreamPool, siblingModule, streamTasksOf } from '../../sys/index.ts';
import { keySigner, type Signer } from './signer.ts';
import { SigningKey } from './signing-key.ts';

/** For a service of sigstore to answer, in ms, retries among it. */
const ANSWER_MS = 60_000;
/** Longer than any that is issued. */
const MAX_TOKEN_BYTES = 64 << 10;

const task = streamTasksOf<typeof import('./sigstore-task.ts')>(siblingModule(import.meta.url, './sigstore-task'));

interface SigstoreOptions {
  /** The thread in which the services are talked to, and their client is loaded. */
  readonly streams: StreamPool;
  /** Of the transparency log; undefined for none. */
  readonly rekorUrl: string | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Signs with a key, and writes what it signs to a transparency log where one is named. */
export function loggedKeySigner(key: SigningKey, options: SigstoreOptions): Signer {
  return keySigner(key, logOf(key.publicPem, options));
}

/**
 * Signs with a key that is made for it, and that Fulcio certifies to be used by whom an OIDC token names.
 * @throws CodedError SIGNING_TOKEN | SIGNING_SERVICE, neither of which tells the token
 */
export async function keylessSigner(
  token: Uint8Array,
  options: SigstoreOptions & { readonly fulcioUrl: string },
  { signal }: AbortOptions,
): Promise<Signer> {
  const { text, issuer } = readToken(token, Date.now());
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { streams, fulcioUrl, timeoutMs = ANSWER_MS } = options;
  const args = { url: fulcioUrl, timeoutMs, token: text, key: privateKey };
  const certificate = await streams.run(task('certify'), args, { signal });
  let issued: X509Certificate;
  try {
    issued = new X509Certificate(certificate);
  } catch {
    throw service(fulcioUrl, 'what it sent is no certificate');
  }
  if (!issued.checkPrivateKey(privateKey)) throw service(fulcioUrl, 'its certificate is of another key');
  const id = createHash('sha256')
    .update(JSON.stringify([issuer, issued.subjectAltName]))
    .digest('hex');
  return { key: SigningKey.of(privateKey), id, certificate, log: logOf(certificate, options) };
}

function logOf(verifier: string, { streams, rekorUrl: url, timeoutMs = ANSWER_MS }: SigstoreOptions): Signer['log'] {
  if (url === undefined) return undefined;
  return async (content, { signal }) =>
    await streams.run(task('witness'), { url, timeoutMs, content, verifier }, { signal });
}

function service(url: string, why: string): CodedError {
  return CodedError.of('SIGNING_SERVICE', `Fulcio (${url}): ${why}`, { code: 'unavailable' });
}

const claims = z.object({
  iss: z.string(),
  exp: z.number(),
  sub: z.string().optional(),
  email: z.string().optional(),
  email_verified: z.union([z.boolean(), z.string()]).optional(),
});

/** What of a token matters before somebody else looks at it. */
function readToken(bytes: Uint8Array, now: number): { readonly text: string; readonly issuer: string } {
  const text = bytes.length > MAX_TOKEN_BYTES ? '' : Buffer.from(bytes).toString('latin1').trim();
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(text)?.[1];
  if (payload === undefined) throw badToken('it is no JSON web token');
  let read: z.infer<typeof claims>;
  try {
    read = claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
  } catch {
    // The cause would tell what is in it.
    throw badToken('it lacks claims of an identity token (iss, exp)');
  }
  const { iss, exp, sub, email, email_verified: verified } = read;
  if (!email && !sub) throw badToken('it names nobody (sub)');
  if (email && !(verified === true || verified === 'true')) throw badToken('its issuer has not verified its email');
  if (exp * 1000 <= now) throw badToken(`it expired at ${new Date(Math.min(exp * 1000, now)).toISOString()}`);
  return { text, issuer: iss };
}

function badToken(why: string): CodedError {
  return CodedError.of('SIGNING_TOKEN', `identity token for signing: ${why}`);
}
