import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { digestOf } from '../../base/index.ts';
import { Problem } from './problem.ts';

/** Who may do what. Absent: everybody everything (the server listens on loopback). */
export type RegistryAccess =
  | { readonly kind: 'basic'; readonly users: Readonly<Record<string, string>> }
  | {
      readonly kind: 'token';
      readonly users: Readonly<Record<string, string>>;
      /** Tokens without a user may pull. */
      readonly anonymousPull?: boolean;
      /** Seconds a token lives; 300 when absent. */
      readonly lifetime?: number;
      /** Answer GET token requests with this status, to make clients fall back to POST. */
      readonly refuseGet?: 401 | 404 | 405;
    };

/** What a request needs on a repository. */
interface Need {
  readonly repository: string;
  readonly action: 'pull' | 'push' | 'delete';
}

interface Grant {
  readonly expires: number;
  readonly actions: ReadonlyMap<string, ReadonlySet<string>>;
}

const SERVICE = 'slipway-registry';
const MAX_TOKENS = 10_000;

/** Checks requests, and serves the token endpoint `/token` in token mode (distribution "token" authentication). */
export class AccessControl {
  readonly #access: RegistryAccess | undefined;
  readonly #realm: () => string;
  readonly #tokens = new Map<string, Grant>();

  /** `realm`: the URL of the token endpoint. */
  constructor(access: RegistryAccess | undefined, realm: () => string) {
    this.#access = access;
    this.#realm = realm;
  }

  /** Whether a repository's content may be taken without naming one that the client may read. */
  get open(): boolean {
    return this.#access?.kind !== 'token';
  }

  /** @throws Problem 401 with the challenge. */
  check(request: IncomingMessage, needs: readonly Need[]): void {
    if (!this.allows(request, needs)) throw this.#challenge(needs);
  }

  allows(request: IncomingMessage, needs: readonly Need[]): boolean {
    const access = this.#access;
    if (access === undefined) return true;
    if (access.kind === 'basic') return userOf(request.headers.authorization, access.users) !== undefined;
    const token = /^bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const grant = token === undefined ? undefined : this.#tokens.get(token);
    if (grant === undefined || grant.expires < Date.now()) return false;
    return needs.every((need) => grant.actions.get(need.repository)?.has(need.action));
  }

  #challenge(needs: readonly Need[]): Problem {
    if (this.#access?.kind === 'basic')
      return new Problem(401, 'UNAUTHORIZED', 'authentication required', {
        'www-authenticate': 'Basic realm="slipway registry"',
      });
    const first = needs[0];
    const scope =
      first === undefined
        ? ''
        : `,scope="repository:${first.repository}:${first.action === 'push' ? 'pull,push' : first.action}"`;
    return new Problem(401, 'UNAUTHORIZED', 'authentication required', {
      'www-authenticate': `Bearer realm="${this.#realm()}",service="${SERVICE}"${scope}`,
    });
  }

  /** Serves GET and POST /token; false when tokens are not in use. */
  async serveToken(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
    const access = this.#access;
    if (access?.kind !== 'token') return false;
    let user: string | undefined;
    let scopes: string[];
    let refresh = false;
    if (request.method === 'POST') {
      const form = new URLSearchParams(await readText(request, 64 << 10));
      scopes = (form.get('scope') ?? '').split(' ');
      if (form.get('grant_type') === 'refresh_token') {
        user = Object.keys(access.users).find(
          (name) => refreshToken(name, access.users[name] ?? '') === form.get('refresh_token'),
        );
      } else if (form.get('grant_type') === 'password') {
        user = checkPassword(form.get('username') ?? '', form.get('password') ?? '', access.users);
        refresh = form.get('access_type') === 'offline';
      }
      if (user === undefined) throw new Problem(401, 'UNAUTHORIZED', 'wrong user name or password');
    } else {
      if (access.refuseGet !== undefined) throw new Problem(access.refuseGet, 'UNSUPPORTED', 'use POST');
      scopes = url.searchParams.getAll('scope').flatMap((scope) => scope.split(' '));
      if (request.headers.authorization !== undefined) {
        user = userOf(request.headers.authorization, access.users);
        if (user === undefined) throw new Problem(401, 'UNAUTHORIZED', 'wrong user name or password');
      }
    }
    const actions = new Map<string, Set<string>>();
    for (const scope of scopes) {
      const match = /^repository:([^:]+):([a-z,*]+)$/.exec(scope);
      if (match === null) continue;
      const granted = (match[2] ?? '')
        .split(',')
        .flatMap((action) => (action === '*' ? ['pull', 'push', 'delete'] : [action]))
        .filter((action) => user !== undefined || (action === 'pull' && access.anonymousPull === true));
      const set = actions.get(match[1] ?? '') ?? new Set();
      for (const action of granted) set.add(action);
      actions.set(match[1] ?? '', set);
    }
    const lifetime = access.lifetime ?? 300;
    const token = randomBytes(24).toString('base64url');
    this.#tokens.set(token, { expires: Date.now() + lifetime * 1000, actions });
    // Oldest first: insertion order is age.
    for (const old of this.#tokens.keys()) {
      if (this.#tokens.size <= MAX_TOKENS) break;
      this.#tokens.delete(old);
    }
    const body: Record<string, unknown> = { token, access_token: token, expires_in: lifetime };
    body['issued_at'] = new Date().toISOString();
    if (refresh && user !== undefined) body['refresh_token'] = refreshToken(user, access.users[user] ?? '');
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(body));
    return true;
  }
}

/** The identity token of a user, as `docker login` would keep it. */
export function refreshToken(user: string, password: string): string {
  return digestOf(`${user}\n${password}`).slice(7);
}

function userOf(header: string | undefined, users: Readonly<Record<string, string>>): string | undefined {
  const encoded = /^basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return checkPassword(text.slice(0, colon), text.slice(colon + 1), users);
}

function checkPassword(user: string, password: string, users: Readonly<Record<string, string>>): string | undefined {
  const wanted = Object.hasOwn(users, user) ? users[user] : undefined;
  if (wanted === undefined) return undefined;
  return timingSafeEqual(Buffer.from(digestOf(password)), Buffer.from(digestOf(wanted))) ? user : undefined;
}

/** Reads a small body. @throws Problem 413 */
async function readText(request: IncomingMessage, limit: number): Promise<string> {
  return (await readBytes(request, limit)).toString();
}

/** Reads a body into memory. @throws Problem 413 */
export async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new Problem(413, 'SIZE_INVALID', `the body is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
