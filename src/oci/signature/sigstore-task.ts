import { AsyncLocalStorage } from 'node:async_hooks';
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { SignatureBundle } from '@sigstore/sign';
import { CodedError } from '../../base/index.ts';
import type { StreamContext } from '../../sys/index.ts';
import { STATEMENT_TYPE } from './envelope-task.ts';
import type { LogEntry, SignedContent } from './signer.ts';

/** Retries of what may pass: 408, 429, 5xx, and connections that break. */
const RETRY = { retries: 2, minTimeout: 500, maxTimeout: 5000 };
/** Of all that a service answers: a certificate or an entry of a log. */
const MOST_ANSWERED = 16 << 20;
const LOOK_EVERY_MS = 50;

interface ServiceArgs {
  readonly url: string;
  /** For all tries together. */
  readonly timeoutMs: number;
}

/** Task of the streams pool: the certificate that Fulcio issues for the key to whom the token names, in PEM form. @throws CodedError */
export async function certify(
  { token, key, ...service }: ServiceArgs & { readonly token: string; readonly key: KeyObject },
  context: StreamContext,
): Promise<string> {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  const { FulcioSigner } = await import('@sigstore/sign');
  const signer = new FulcioSigner({
    fulcioBaseURL: service.url,
    identityProvider: { getToken: async () => token },
    keyHolder: {
      sign: async (data) => ({ signature: sign('sha256', data, key), key: { $case: 'publicKey', publicKey } }),
    },
    ...options(service),
  });
  const { key: certified } = await asked('Fulcio', service, context, () => signer.sign(Buffer.alloc(0)), token);
  if (certified.$case !== 'x509Certificate') throw refused('Fulcio', service.url, 'it sent no certificate');
  return certified.certificate;
}

/** Task of the streams pool: has a Rekor log take up a signature. @throws CodedError */
export async function witness(
  { content, verifier, ...service }: ServiceArgs & { readonly content: SignedContent; readonly verifier: string },
  context: StreamContext,
): Promise<LogEntry> {
  const { RekorWitness } = await import('@sigstore/sign');
  const rekor = new RekorWitness({ rekorBaseURL: service.url, ...options(service) });
  const { tlogEntries = [] } = await asked('Rekor', service, context, () =>
    rekor.testify(bundleContent(content), verifier),
  );
  const [entry] = tlogEntries;
  if (entry === undefined) throw refused('Rekor', service.url, 'it sent no entry');
  const promise = entry.inclusionPromise?.signedEntryTimestamp;
  if (promise === undefined) throw refused('Rekor', service.url, 'its entry has no signed timestamp');
  const proof = entry.inclusionProof;
  if (!proof?.checkpoint?.envelope) throw refused('Rekor', service.url, 'its entry has no proof that it is in the log');
  const signature = Buffer.from(content.signature).toString('base64');
  const kept = [signature, ...(content.kind === 'statement' ? [content.envelope.slice('sha256:'.length)] : [])];
  const body = entry.canonicalizedBody.toString('utf8');
  if (!kept.every((one) => body.includes(JSON.stringify(one))))
    throw refused('Rekor', service.url, 'its entry is of another signature');
  const { logIndex, logId, kindVersion, integratedTime } = entry;
  const timestamp = promise.toString('base64');
  const logged = entry.canonicalizedBody.toString('base64');
  const annotation = JSON.stringify({
    SignedEntryTimestamp: timestamp,
    Payload: {
      body: logged,
      integratedTime: Number(integratedTime),
      logIndex: Number(logIndex),
      logID: logId.keyId.toString('hex'),
    },
  });
  const bundled = {
    ...{ logIndex, logId: { keyId: logId.keyId.toString('base64') }, kindVersion, integratedTime },
    inclusionPromise: { signedEntryTimestamp: timestamp },
    inclusionProof: {
      ...{ logIndex: proof.logIndex, treeSize: proof.treeSize, rootHash: proof.rootHash.toString('base64') },
      hashes: proof.hashes.map((hash) => hash.toString('base64')),
      checkpoint: { envelope: proof.checkpoint.envelope },
    },
    canonicalizedBody: logged,
  };
  return { annotation, bundled };
}

const options = ({ timeoutMs }: ServiceArgs) => ({ retry: RETRY, timeout: timeoutMs });

/** As sigstore's bundles have it. */
function bundleContent(content: SignedContent): SignatureBundle {
  const signature = Buffer.from(content.signature);
  if (content.kind === 'statement') {
    const { statement } = content;
    const payload = Buffer.from(statement.buffer, statement.byteOffset, statement.length);
    const signatures = [{ keyid: '', sig: signature }];
    return { $case: 'dsseEnvelope', dsseEnvelope: { payloadType: STATEMENT_TYPE, payload, signatures } };
  }
  // 1: SHA-256.
  const messageDigest = { algorithm: 1, digest: Buffer.from(content.sha256) };
  return { $case: 'messageSignature', messageSignature: { messageDigest, signature } };
}

/** What is asked of a service: the library takes no signal, reads all that it is sent, and tries again whoever waits. */
interface Ask {
  readonly requests: Set<ClientRequest>;
  /** Fires when it is over. */
  readonly until: AbortSignal;
}

const asks = new AsyncLocalStorage<Ask>();
let isWatching = false;

function watchRequests(): void {
  if (isWatching) return;
  isWatching = true;
  // Before anything of it is sent.
  subscribe('http.client.request.created', (message) => {
    const { request } = message as { readonly request: ClientRequest };
    const ask = asks.getStore();
    if (ask?.until.aborted) request.destroy();
    else ask?.requests.add(request);
  });
}

async function asked<T>(
  service: 'Fulcio' | 'Rekor',
  { url, timeoutMs }: ServiceArgs,
  { signal }: StreamContext,
  ask: () => Promise<T>,
  token?: string,
): Promise<T> {
  watchRequests();
  const requests = new Set<ClientRequest>();
  const stop = new AbortController();
  const late = AbortSignal.timeout(timeoutMs);
  const until = AbortSignal.any([signal, late, stop.signal]);
  const before = new WeakMap<object, number>();
  const look = setInterval(() => {
    for (const { socket } of requests) {
      if (!socket) continue;
      const start = before.get(socket) ?? 0;
      before.set(socket, start);
      if (socket.bytesRead - start > MOST_ANSWERED) stop.abort(new Error(`it sent more than ${MOST_ANSWERED} bytes`));
    }
  }, LOOK_EVERY_MS);
  const ended = Promise.withResolvers<never>();
  until.addEventListener('abort', () => ended.reject(until.reason), { once: true });
  try {
    return await Promise.race([asks.run({ requests, until }, ask), ended.promise]);
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) throw refused(service, url, `it gave no answer in ${timeoutMs / 1000} s`, error);
    throw serviceError(service, url, error, token);
  } finally {
    clearInterval(look);
    stop.abort();
    for (const request of requests) request.destroy();
  }
}

/** Says what the service said, and never the token, which the library puts into an error and a service may send back. */
function serviceError(service: string, url: string, error: unknown, token: string | undefined): CodedError {
  const { cause = error } = error as { readonly cause?: unknown };
  const { statusCode, message = '' } = cause as { readonly statusCode?: number; readonly message?: string };
  const told = (token === undefined ? message : message.replaceAll(token, '[token]')).slice(0, 500);
  const final = statusCode !== undefined && statusCode < 500 && statusCode !== 408 && statusCode !== 429;
  return CodedError.of('SIGNING_SERVICE', `${service} (${url}): ${told}`, {
    code: final ? 'permission_denied' : 'unavailable',
    hint:
      final && token !== undefined
        ? 'the token must be one that this Fulcio takes: its issuer, its audience (mostly sigstore), and not expired'
        : 'the image is pushed: build again, or sign its digest with cosign sign',
  });
}

function refused(service: string, url: string, why: string, cause?: unknown): CodedError {
  return CodedError.of('SIGNING_SERVICE', `${service} (${url}): ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    code: 'unavailable',
    hint: 'the image is pushed: build again, or sign its digest with cosign sign',
  });
}
