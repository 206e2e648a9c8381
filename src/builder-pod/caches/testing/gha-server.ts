import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const TWIRP = '/twirp/github.actions.results.api.v1.CacheService/';

interface Entry {
  key: string;
  readonly version: string;
  readonly blocks: Map<string, Buffer>;
  content: Buffer;
  done: boolean;
}

/** A token as jobs of GitHub's actions have it, for a cache that may be read and written. */
export function ghaToken(): string {
  const now = Math.floor(Date.now() / 1000);
  const ac = JSON.stringify([{ Scope: 'refs/heads/main', Permission: 3 }]);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return [part({ alg: 'HS256', typ: 'JWT' }), part({ ac, nbf: now - 60, exp: now + 86_400 }), 'c2lnbmF0dXJl'].join('.');
}

/** The cache service of GitHub's actions as its clients know it, in both versions; content lies behind signed addresses. */
export class GhaServer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #token: string;
  /** The newest last. */
  readonly #entries: Entry[] = [];

  private constructor(server: Server, token: string) {
    this.#server = server;
    this.#token = token;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (req: IncomingMessage, res: ServerResponse) => void this.#handle(req, res));
  }

  static async start(token: string): Promise<GhaServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new GhaServer(server, token);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', `http://${req.headers.host}`);
    const body = Buffer.concat(await Array.fromAsync(req as AsyncIterable<Buffer>));
    if (url.pathname.startsWith('/content/')) this.#content(req, url, body, res);
    else if (req.headers.authorization !== `Bearer ${this.#token}`) json(res, 401, { message: 'no' });
    else if (url.pathname.startsWith(TWIRP)) this.#second(url, JSON.parse(body.toString()), res);
    else this.#first(req, url, body, res);
  }

  /** As one whose room is wanted for others. */
  evict(prefix: string): void {
    for (const entry of this.#entries) if (entry.key.startsWith(prefix)) entry.key = '';
  }

  #find(prefix: string, version: string): Entry | undefined {
    return this.#entries.findLast((one) => one.done && one.version === version && one.key.startsWith(prefix));
  }

  /** Its number; undefined where the key is taken. */
  #reserve(key: string, version: string): number | undefined {
    if (this.#entries.some((one) => one.key === key && one.version === version)) return undefined;
    return this.#entries.push({ key, version, blocks: new Map(), content: Buffer.alloc(0), done: false });
  }

  #signed(url: URL, entry: Entry): string {
    return `${url.origin}/content/${encodeURIComponent(entry.key)}?id=${this.#entries.indexOf(entry) + 1}&sig=signed`;
  }

  #first(req: IncomingMessage, url: URL, body: Buffer, res: ServerResponse): void {
    const path = url.pathname.replace('/_apis/artifactcache/', '');
    if (req.method === 'GET' && path === 'cache') {
      const keys = url.searchParams.get('keys')?.split(',') ?? [];
      const found = keys.map((key) => this.#find(key, url.searchParams.get('version') ?? '')).find(Boolean);
      if (found === undefined) res.writeHead(204).end();
      else json(res, 200, { cacheKey: found.key, scope: 'refs/heads/main', archiveLocation: this.#signed(url, found) });
      return;
    }
    if (req.method === 'POST' && path === 'caches') {
      const { key, version } = JSON.parse(body.toString()) as { key: string; version: string };
      const cacheId = this.#reserve(key, version);
      if (cacheId !== undefined) json(res, 201, { cacheId });
      else json(res, 409, { message: 'Cache already exists.', typeKey: 'ArtifactCacheItemAlreadyExistsException' });
      return;
    }
    const entry = this.#entries[Number(path.replace('caches/', '')) - 1];
    if (entry === undefined) json(res, 404, { message: 'no such cache' });
    else if (req.method === 'PATCH') {
      const [, start = '0'] = /bytes (\d+)-/.exec(req.headers['content-range'] ?? '') ?? [];
      entry.blocks.set(start, body);
      res.writeHead(204).end();
    } else {
      const parts = [...entry.blocks].sort(([a], [b]) => Number(a) - Number(b)).map(([, part]) => part);
      entry.content = Buffer.concat(parts);
      const { size } = JSON.parse(body.toString()) as { size: number };
      if (size !== entry.content.length) json(res, 400, { message: 'wrong size' });
      else {
        entry.done = true;
        res.writeHead(204).end();
      }
    }
  }

  #second(url: URL, args: Readonly<Record<string, unknown>>, res: ServerResponse): void {
    const { key, version } = args as { key: string; version: string };
    const entry = this.#entries.find((one) => one.key === key && one.version === version);
    switch (url.pathname.slice(TWIRP.length)) {
      case 'CreateCacheEntry': {
        const id = this.#reserve(key, version);
        if (id === undefined) json(res, 409, { code: 'already_exists', msg: 'cache entry already exists' });
        else json(res, 200, { ok: true, signed_upload_url: this.#signed(url, this.#entries[id - 1]!) });
        return;
      }
      case 'FinalizeCacheEntryUpload':
        if (entry === undefined || Number(args['size_bytes']) !== entry.content.length) json(res, 200, { ok: false });
        else {
          entry.done = true;
          json(res, 200, { ok: true, entry_id: '1' });
        }
        return;
      default: {
        const found = this.#find(key, version);
        if (found === undefined) json(res, 200, { ok: false });
        else json(res, 200, { ok: true, signed_download_url: this.#signed(url, found), matched_key: found.key });
      }
    }
  }

  /** As of Azure's blobs. */
  #content(req: IncomingMessage, url: URL, body: Buffer, res: ServerResponse): void {
    const entry = this.#entries[Number(url.searchParams.get('id')) - 1];
    const headers = {
      'x-ms-request-id': '1',
      'x-ms-version': '2024-11-04',
      etag: '"1"',
      date: new Date().toUTCString(),
    };
    if (entry === undefined || url.searchParams.get('sig') !== 'signed') {
      res.writeHead(403, headers).end();
      return;
    }
    if (req.method === 'PUT') {
      const comp = url.searchParams.get('comp');
      if (comp === 'block') entry.blocks.set(url.searchParams.get('blockid') ?? '', body);
      else if (comp === 'blocklist') {
        const ids = [...body.toString().matchAll(/<(?:Latest|Uncommitted)>([^<]+)</g)].map(([, id]) => id!);
        entry.content = Buffer.concat(ids.map((id) => entry.blocks.get(id)!));
      } else entry.content = body;
      res.writeHead(201, headers).end();
      return;
    }
    const range = req.headers['x-ms-range'] ?? req.headers.range;
    const [, start, end] = /bytes=(\d+)-(\d*)/.exec(String(range ?? '')) ?? [];
    const from = Number(start ?? 0);
    const part = entry.content.subarray(from, end ? Number(end) + 1 : undefined);
    const last = from + part.length - 1;
    const ranged = start === undefined ? {} : { 'content-range': `bytes ${from}-${last}/${entry.content.length}` };
    res.writeHead(start === undefined ? 200 : 206, { ...headers, ...ranged, 'content-length': part.length }).end(part);
  }
}

function json(res: ServerResponse, status: number, value: object): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
