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
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { join } from 'node:path';
import { CodedError, type Digest, type ProxySettings } from '../../../base/index.ts';
import { OutboundAgents } from '../../../base/outbound-agents.ts';
import type { TaskContext } from '../../../sys/index.ts';
import { fileNameOf } from './file-name.ts';

export interface DownloadArgs {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to the host of `url` alone. */
  readonly authorization?: string;
  readonly etag?: string;
  /** An empty directory that gets the file. */
  readonly directory: string;
  /** Wins over what the response says. */
  readonly filename: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly proxies: ProxySettings;
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

const MAX_REDIRECTS = 10;

/** Worker task: GET into a file, hashed on the way. Posts the bytes so far after every megabyte. */
export async function download(args: DownloadArgs, context: TaskContext): Promise<DownloadResult> {
  let url = new URL(args.url);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const response = await get(url, args, context);
    const status = response.statusCode ?? 0;
    if ([301, 302, 303, 307, 308].includes(status) && response.headers.location !== undefined) {
      response.destroy();
      if (!URL.canParse(response.headers.location, url)) break;
      const next = new URL(response.headers.location, url);
      if (next.protocol !== 'https:' && next.protocol !== 'http:') break;
      url = next;
      continue;
    }
    if (status === 304 && args.etag !== undefined) {
      response.destroy();
      return { status: 'unchanged' };
    }
    if (status !== 200) {
      response.destroy();
      throw statusError(status, url);
    }
    return await save(response, url, args, context);
  }
  throw new CodedError('unavailable', `GET ${shown(new URL(args.url))}: too many or invalid redirects`, {
    reason: 'HTTP_REDIRECT',
  });
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
  return new CodedError(code, `GET ${shown(url)}: status ${status}`, { reason: 'HTTP_STATUS' });
}

async function get(url: URL, args: DownloadArgs, { signal }: TaskContext): Promise<IncomingMessage> {
  const headers: Record<string, string> = { 'user-agent': 'slipway', 'accept-encoding': 'identity', ...args.headers };
  if (args.authorization !== undefined && url.origin === new URL(args.url).origin)
    headers['authorization'] = args.authorization;
  if (args.etag !== undefined) headers['if-none-match'] = args.etag;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  if (isLinkLocal(url.hostname)) throw linkLocal(url.hostname);
  const https = url.protocol === 'https:';
  const agent = new OutboundAgents(args.proxies, { keepAlive: false }).for(url);
  const request = (https ? requestHttps : requestHttp)(url, { headers, agent, signal, lookup: guardedLookup });
  request.setTimeout(args.idleTimeoutMs, () =>
    request.destroy(
      new CodedError('unavailable', `GET ${shown(url)}: nothing received for ${args.idleTimeoutMs / 1000} s`),
    ),
  );
  request.once('response', resolve);
  request.on('error', (error) =>
    reject(
      error instanceof CodedError
        ? error
        : new CodedError('unavailable', `GET ${shown(url)}: ${error.message}`, {
            cause: error,
            reason: 'HTTP_CONNECTION',
          }),
    ),
  );
  request.end();
  return await promise;
}

/** The cloud's metadata service must not be read by a build. */
function isLinkLocal(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, '').toLowerCase();
  return isIP(bare) !== 0 && /^(?:::ffff:(?:169\.254\.|a9fe:)|169\.254\.|fe[89ab][0-9a-f]:|fd00:ec2::254$)/.test(bare);
}

function linkLocal(address: string): CodedError {
  return new CodedError('permission_denied', `${address} is a link-local address, which builds may not read`, {
    reason: 'HTTP_LINK_LOCAL',
  });
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
  context: TaskContext,
): Promise<DownloadResult> {
  const temp = join(args.directory, '.slipway-download');
  const hash = createHash('sha256');
  let size = 0;
  let posted = 0;
  const total = Number(response.headers['content-length'] ?? 0);
  const fd = openSync(temp, 'wx', 0o600);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      context.throwIfAborted();
      size += chunk.length;
      if (size > args.maxBytes)
        throw new CodedError('resource_exhausted', `GET ${shown(url)}: larger than ${args.maxBytes} bytes`, {
          reason: 'HTTP_TOO_LARGE',
          fault: 'user',
        });
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
      if (size - posted >= 1 << 20) {
        posted = size;
        context.post({ current: size, total });
      }
    }
    if (!response.complete)
      throw new CodedError('unavailable', `GET ${shown(url)}: the connection ended early`, {
        reason: 'HTTP_CONNECTION',
      });
    ftruncateSync(fd, size);
    chownSync(temp, args.uid, args.gid);
    // After chown, which takes setuid away.
    fchmodSync(fd, args.mode);
  } catch (error) {
    rmSync(temp, { force: true });
    if (error instanceof CodedError || context.aborted()) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw error;
    throw new CodedError('unavailable', `GET ${shown(url)}: ${(error as Error).message}`, {
      cause: error,
      reason: 'HTTP_CONNECTION',
    });
  } finally {
    closeSync(fd);
  }
  const filename = fileNameOf(args.filename, response.headers['content-disposition'], args.url);
  const path = join(args.directory, filename);
  renameSync(temp, path);
  const lastModified = response.headers['last-modified'];
  const time = lastModified === undefined ? Number.NaN : Date.parse(lastModified);
  const seconds = Number.isNaN(time) ? 0 : time / 1000;
  utimesSync(path, seconds, seconds);
  context.post({ current: size, total: size });
  const { etag } = response.headers;
  return {
    status: 'downloaded',
    digest: `sha256:${hash.digest('hex')}`,
    size,
    filename,
    ...(etag === undefined ? {} : { etag }),
    ...(Number.isNaN(time) || lastModified === undefined ? {} : { lastModified: new Date(time).toUTCString() }),
  };
}
