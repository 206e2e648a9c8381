import { createHash } from 'node:crypto';
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import {
  chownSync,
  closeSync,
  fchmodSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { type ClientRequest, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import {
  type BuildTrust,
  CodedError,
  type Digest,
  isCertificateFault,
  isLinkLocal,
  linkLocal,
  type ProxySettings,
  requestWords,
  transportWords,
} from '../../../base/index.ts';
import { OutboundAgents } from '../../../base/outbound-agents.ts';
import type { StreamContext } from '../../../sys/index.ts';
import { fileNameOf } from './file-name.ts';
import { httpTime } from './http-time.ts';

export interface DownloadArgs {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to the host of `url` alone. */
  readonly authorization?: string;
  /** Of an earlier answer, which is not fetched again while the server still names it so. */
  readonly etag?: string;
  /** An empty directory that gets the file. */
  readonly directory: string;
  /** Wins over what the response says. */
  readonly filename: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly proxies: ProxySettings;
  /** Of the build. */
  readonly trust?: BuildTrust;
  readonly maxBytes: number;
  readonly idleTimeoutMs: number;
}

export type DownloadResult =
  | { readonly status: 'unchanged' }
  | {
      readonly status: 'downloaded';
      readonly digest: Digest;
      readonly size: number;
      readonly filename: string;
      readonly etag?: string;
      readonly lastModified?: string;
    };

/** BuildKit's form: servers that turn unknown clients away know it. */
const USER_AGENT = 'buildkit/v0.34';
const MAX_REDIRECTS = 10;

interface Ask {
  readonly method: 'GET' | 'HEAD';
  readonly etag?: string | undefined;
}

interface Answer {
  readonly response: IncomingMessage;
  /** Where redirects led to. */
  readonly url: URL;
}

/**
 * Task of the streams pool: GET into a file, hashed on the way. Posts the bytes so far after every megabyte. A file that is known is asked for by HEAD first, since
 * some servers send ETags and yet answer each GET in full; only then by GET with the condition.
 */
export async function download(args: DownloadArgs, context: StreamContext): Promise<DownloadResult> {
  const { etag } = args;
  if (etag !== undefined && (await isUnchanged({ method: 'HEAD', etag }, args, context)))
    return { status: 'unchanged' };
  const { response, url } = await ask({ method: 'GET', etag }, args, context);
  if (etag === undefined || response.statusCode !== 304) return await save(response, url, args, context);
  response.destroy();
  if (confirms(response, etag)) return { status: 'unchanged' };
  // Not modified, but of something that was never asked about: the server is asked for the file itself.
  const whole = await ask({ method: 'GET' }, args, context);
  return await save(whole.response, whole.url, args, context);
}

/** Whatever goes wrong, and servers refuse HEAD in many ways, GET tells. */
async function isUnchanged(head: Ask & { etag: string }, args: DownloadArgs, context: StreamContext): Promise<boolean> {
  try {
    const { response } = await ask(head, args, context);
    response.destroy();
    return confirms(response, head.etag);
  } catch {
    context.throwIfAborted();
    return false;
  }
}

function confirms({ statusCode, headers }: IncomingMessage, etag: string): boolean {
  const named = plainEtag(headers.etag);
  if (statusCode === 304) return named === undefined || named === etag;
  return statusCode === 200 && named === etag;
}

/** Whether it is weak makes no difference to who compares it with itself. */
function plainEtag(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, '') || undefined;
}

/** Follows redirects, as many as Go's client does. */
async function ask(what: Ask, args: DownloadArgs, context: StreamContext): Promise<Answer> {
  const first = new URL(args.url);
  let url = first;
  const failed = (asked: string, fault: string) =>
    CodedError.of('HTTP_REDIRECT', requestWords(what.method, asked, new Error(fault)));
  for (let hops = 0; hops < MAX_REDIRECTS; hops++) {
    const response = await request(url, what, args, context);
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined)
      return { response, url };
    response.destroy();
    if (!URL.canParse(location, url)) throw failed(shown(url), 'redirected to what is no URL');
    const next = new URL(location, url);
    if (next.protocol !== 'https:' && next.protocol !== 'http:')
      throw failed(shown(first), `redirected to unsupported protocol scheme "${next.protocol.slice(0, -1)}"`);
    url = next;
  }
  throw failed(shown(first), `stopped after ${MAX_REDIRECTS} redirects`);
}

function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function statusError(status: number, url: URL): CodedError {
  const code =
    status === 404 || status === 410
      ? 'not_found'
      : status === 401
        ? 'unauthenticated'
        : status === 403
          ? 'permission_denied'
          : 'unavailable';
  // BuildKit's words, which scripts look for.
  return CodedError.of('HTTP_STATUS', `invalid response status ${status}`, {
    code,
    hint: `GET ${shown(url)} was answered so`,
  });
}

/** Credentials stay with the host and port they are for (the ports of http and https being one), and are not sent in clear once they were not. */
function mayHaveCredentials(first: URL, url: URL): boolean {
  if (first.protocol === 'https:' && url.protocol !== 'https:') return false;
  return url.host === first.host;
}

async function request(url: URL, what: Ask, args: DownloadArgs, { signal }: StreamContext): Promise<IncomingMessage> {
  // Servers make ETags of what they would send, so HEAD names the same encodings as GET.
  const headers: Record<string, string> = { 'user-agent': USER_AGENT, 'accept-encoding': 'gzip', ...args.headers };
  if (args.authorization !== undefined && mayHaveCredentials(new URL(args.url), url))
    headers['authorization'] = args.authorization;
  if (what.etag !== undefined) headers['if-none-match'] = what.etag;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  if (isLinkLocal(url.hostname)) throw linkLocal(url.hostname);
  const sent = open(url, args, { method: what.method, headers, signal, lookup: guardedLookup });
  sent.setTimeout(args.idleTimeoutMs, () =>
    sent.destroy(
      CodedError.of(
        'HTTP_CONNECTION',
        requestWords(
          what.method,
          shown(url),
          new Error(`i/o timeout: nothing received for ${args.idleTimeoutMs / 1000} s`),
        ),
      ),
    ),
  );
  sent.once('response', resolve);
  sent.on('error', (error) =>
    reject(
      error instanceof CodedError
        ? error
        : CodedError.of(
            isCertificateFault(error) ? 'HTTP_CERTIFICATE' : 'HTTP_CONNECTION',
            requestWords(what.method, shown(url), error),
            { cause: error },
          ),
    ),
  );
  sent.end();
  return await promise;
}

/** Every connection of this source is opened here. */
function open(url: URL, { proxies, trust }: DownloadArgs, options: RequestOptions): ClientRequest {
  const agent = new OutboundAgents(proxies, { keepAlive: false }).for(url, {}, trust);
  return (url.protocol === 'https:' ? requestHttps : requestHttp)(url, { ...options, agent });
}

const guardedLookup: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error) return callback(error, '', 0);
    const bad = addresses.find(({ address }) => isLinkLocal(address));
    if (bad !== undefined) return callback(linkLocal(bad.address), '', 0);
    if (options.all) return callback(null, addresses);
    return callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
  });
};

async function save(
  response: IncomingMessage,
  url: URL,
  args: DownloadArgs,
  context: StreamContext,
): Promise<DownloadResult> {
  const status = response.statusCode ?? 0;
  if (status < 200 || status >= 400 || status === 304) {
    response.destroy();
    throw statusError(status, url);
  }
  const temp = join(args.directory, '.slipway-download');
  const hash = createHash('sha256');
  let size = 0;
  let posted = 0;
  // Asked for by us and not by the user, so the file is what was packed. Its size is then not known.
  const isPacked = response.headers['content-encoding']?.toLowerCase() === 'gzip';
  const total = isPacked ? 0 : Number(response.headers['content-length'] ?? 0);
  const fd = openSync(temp, 'wx', 0o600);
  try {
    const content = isPacked ? pipeline(response, createGunzip(), () => {}) : response;
    for await (const chunk of content as AsyncIterable<Buffer>) {
      context.throwIfAborted();
      size += chunk.length;
      if (size > args.maxBytes)
        throw CodedError.of('HTTP_TOO_LARGE', `GET ${shown(url)}: larger than ${args.maxBytes} bytes`);
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
      if (size - posted >= 1 << 20) {
        posted = size;
        context.post({ current: size, total });
      }
    }
    if (!response.complete)
      throw CodedError.of('HTTP_CONNECTION', 'unexpected EOF', { hint: `the answer to GET ${shown(url)} was cut off` });
    ftruncateSync(fd, size);
    chownSync(temp, args.uid, args.gid);
    // After chown, which takes setuid away.
    fchmodSync(fd, args.mode);
  } catch (error) {
    rmSync(temp, { force: true });
    if (error instanceof CodedError || context.aborted()) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw error;
    throw CodedError.of('HTTP_CONNECTION', transportWords(error), {
      cause: error,
      hint: `the answer to GET ${shown(url)} was cut off`,
    });
  } finally {
    closeSync(fd);
  }
  const filename = fileNameOf(args.filename, response.headers['content-disposition'], args.url);
  const path = join(args.directory, filename);
  renameSync(temp, path);
  const lastModified = response.headers['last-modified'];
  const time = lastModified === undefined ? undefined : httpTime(lastModified);
  const seconds = time === undefined ? 0 : time / 1000;
  utimesSync(path, seconds, seconds);
  context.post({ current: size, total: size });
  const etag = plainEtag(response.headers.etag);
  return {
    status: 'downloaded',
    digest: `sha256:${hash.digest('hex')}`,
    size,
    filename,
    ...(etag === undefined ? {} : { etag }),
    ...(time === undefined ? {} : { lastModified: new Date(time).toUTCString() }),
  };
}
