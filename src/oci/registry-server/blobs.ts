import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Digest } from '../../base/index.ts';
import { digestParameter, type Exchange, type RegistryParts, validName } from './exchange.ts';
import { Problem } from './problem.ts';

const CHUNK = 256 << 10;

/** GET, HEAD (spec: pulling blobs; one byte range) and DELETE of `/v2/<name>/blobs/<digest>`. */
export async function serveBlob(parts: RegistryParts, exchange: Exchange): Promise<void> {
  const { request, response, name } = exchange;
  const digest = digestParameter(exchange.reference);
  if (request.method === 'DELETE') {
    parts.access.check(request, [{ repository: name, action: 'delete' }]);
    if (!(await parts.storage.deleteBlob(name, digest))) throw unknown(digest);
    response.writeHead(202, { 'content-length': 0 }).end();
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodRefused();
  parts.access.check(request, [{ repository: name, action: 'pull' }]);
  const blob = await parts.storage.findBlob(name, digest);
  if (blob === undefined) throw unknown(digest);
  const headers: Record<string, string | number> = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
  };
  const range = request.method === 'GET' ? parseRange(request.headers.range, blob.size) : undefined;
  const start = range?.start ?? 0;
  const end = range?.end ?? blob.size - 1;
  if (range !== undefined) headers['content-range'] = `bytes ${start}-${end}/${blob.size}`;
  response.writeHead(range === undefined ? 200 : 206, { ...headers, 'content-length': end - start + 1 });
  if (request.method === 'HEAD' || blob.size === 0) {
    response.end();
    return;
  }
  await pipeline(createReadStream(blob.path, { start, end, highWaterMark: CHUNK }), response);
}

/** `bytes=a-b`, `bytes=a-` or `bytes=-n` (RFC 9110, 14.1.2); several ranges and other units are served whole. */
function parseRange(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const unsatisfiable = () =>
    new Problem(416, 'SIZE_INVALID', 'the range lies outside the blob', { 'content-range': `bytes */${size}` });
  if (match[1] === '') {
    const wanted = Math.min(Number(match[2]), size);
    if (wanted === 0) throw unsatisfiable();
    return { start: size - wanted, end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start >= size || end < start) throw unsatisfiable();
  return { start, end };
}

/** POST `/v2/<name>/blobs/uploads/`: begins an upload, mounts a blob, or takes one whole. */
export async function beginUpload(parts: RegistryParts, exchange: Exchange): Promise<void> {
  const { request, response, url, name } = exchange;
  if (request.method !== 'POST') throw methodRefused();
  parts.access.check(request, [{ repository: name, action: 'push' }]);
  const mount = url.searchParams.get('mount');
  if (mount !== null) {
    const digest = digestParameter(mount);
    const from = url.searchParams.get('from') ?? undefined;
    const allowed =
      from === undefined
        ? parts.access.open
        : validName(from) && parts.access.allows(request, [{ repository: from, action: 'pull' }]);
    if (allowed && (await parts.storage.mountBlob(from, name, digest))) {
      created(exchange, digest);
      return;
    }
  }
  const whole = mount === null ? url.searchParams.get('digest') : null;
  const digest = whole === null ? undefined : digestParameter(whole);
  const id = await parts.uploads.begin(name);
  if (digest !== undefined) {
    try {
      await parts.uploads.append(name, id, 0, request);
    } catch (error) {
      await parts.uploads.cancel(name, id);
      throw error;
    }
    await parts.uploads.commit(name, id, digest);
    created(exchange, digest);
    return;
  }
  response.writeHead(202, { ...state(name, id, 0), 'content-length': 0 }).end();
}

/** GET, PATCH, PUT and DELETE of `/v2/<name>/blobs/uploads/<id>`. */
export async function serveUpload(parts: RegistryParts, exchange: Exchange): Promise<void> {
  const { request, response, url, name, reference: id } = exchange;
  parts.access.check(request, [{ repository: name, action: 'push' }]);
  switch (request.method) {
    case 'GET':
      response.writeHead(204, state(name, id, await parts.uploads.offset(name, id))).end();
      return;
    case 'DELETE':
      await parts.uploads.cancel(name, id);
      response.writeHead(204).end();
      return;
    case 'PATCH': {
      const offset = await append(parts, exchange);
      response.writeHead(202, { ...state(name, id, offset), 'content-length': 0 }).end();
      return;
    }
    case 'PUT': {
      const digest = digestParameter(url.searchParams.get('digest'));
      await append(parts, exchange);
      await parts.uploads.commit(name, id, digest);
      created(exchange, digest);
      return;
    }
    default:
      throw methodRefused();
  }
}

async function append(parts: RegistryParts, { request, name, reference: id }: Exchange): Promise<number> {
  const range = request.headers['content-range'];
  const match = /^(?:bytes[ =])?(\d+)-(\d+)(?:\/.*)?$/.exec(range ?? '');
  if (range !== undefined && match === null)
    throw new Problem(416, 'BLOB_UPLOAD_INVALID', `invalid Content-Range ${JSON.stringify(range)}`);
  const from = match === null ? undefined : Number(match[1]);
  try {
    const before = await parts.uploads.offset(name, id);
    const after = await parts.uploads.append(name, id, from, request);
    if (match !== null && after - before !== Number(match[2]) - Number(match[1]) + 1)
      throw new Problem(400, 'SIZE_INVALID', 'the chunk has not the length its Content-Range says');
    return after;
  } catch (error) {
    if (error instanceof Problem && error.status === 416)
      throw new Problem(416, error.code, error.message, state(name, id, await parts.uploads.offset(name, id)));
    throw error;
  }
}

function state(name: string, id: string, offset: number): Record<string, string> {
  return {
    location: `/v2/${name}/blobs/uploads/${id}`,
    range: `0-${Math.max(offset - 1, 0)}`,
    'docker-upload-uuid': id,
  };
}

function created({ response, name }: Exchange, digest: Digest): void {
  response.writeHead(201, {
    location: `/v2/${name}/blobs/${digest}`,
    'docker-content-digest': digest,
    'content-length': 0,
  });
  response.end();
}

function unknown(digest: Digest): Problem {
  return new Problem(404, 'BLOB_UNKNOWN', `the repository has no blob ${digest}`);
}

export function methodRefused(): Problem {
  return new Problem(405, 'UNSUPPORTED', 'method not allowed here');
}
