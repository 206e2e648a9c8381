import type { ExportOptions } from '../../exporters/index.ts';
import { durationOf, isHttpUrl, wrongAttribute } from './attributes.ts';
import type { GhaConfig, ObjectStoreOptions } from './config.ts';

const PARALLEL = 4;
const TIMEOUT_MS = 600_000;
const MAX_SCOPES = 32;
const WRITE = 2;

/** A cache in the cache service of GitHub's actions. @throws CodedError CACHE_ATTRIBUTE */
export function ghaOptions(options: ExportOptions): ObjectStoreOptions {
  const scope = options.text('scope') ?? 'buildkit';
  const token = options.text('token');
  if (token === undefined || token === '')
    throw wrongAttribute('token not set for github actions cache', 'add token=$ACTIONS_RUNTIME_TOKEN');
  const version = options.text('version');
  if (version !== undefined && !/^[+-]?\d+$/.test(version))
    throw wrongAttribute(`failed to parse api version ${JSON.stringify(version)}, expected positive integer`);
  const second = options.text('url_v2') || undefined;
  const first = options.text('url') || undefined;
  const asked = Number(version ?? 0);
  const url = (asked === 1 ? undefined : second) ?? first;
  if (url === undefined) throw wrongAttribute('url not set for github actions cache', 'add url=$ACTIONS_CACHE_URL');
  if (!isHttpUrl(url)) throw wrongAttribute('the url of the github actions cache is no URL');
  const api = asked > 1 || (asked !== 1 && (url === second || isSecond(url))) ? 2 : 1;
  const timeout = options.text('timeout');
  const timeoutMs = timeout === undefined ? TIMEOUT_MS : durationOf(timeout);
  if (timeoutMs === undefined)
    throw wrongAttribute('failed to parse timeout for github actions cache', 'write it as 10m or 30s');
  // They would spare a question for each blob.
  options.text('repository');
  options.text('ghtoken');
  const scopes = scopesOf(token);
  const config: GhaConfig = {
    ...{ type: 'gha', api, url: url.replace(/\/+$/, ''), token, scope, timeoutMs },
    readable: scopes.map(({ Scope }) => Scope).slice(0, MAX_SCOPES),
    writable: scopes.findLast(({ Permission }) => (Permission & WRITE) !== 0)?.Scope ?? '',
  };
  return { config, name: `gha scope ${scope}`, host: new URL(url).host, parallel: PARALLEL };
}

/** Older clients give the address of the second API by the name of the first. */
function isSecond(url: string): boolean {
  return new URL(url).hostname.endsWith('results-receiver.actions.githubusercontent.com');
}

interface TokenScope {
  readonly Scope: string;
  readonly Permission: number;
}

/** What a token says that it is good for, and until when; whether it says so rightly its server knows. */
function scopesOf(token: string): readonly TokenScope[] {
  const claims = claimsOf(token);
  const { ac, exp, nbf } = claims;
  if (ac === undefined) throw wrongAttribute('invalid token without access controls');
  if (typeof ac !== 'string') throw wrongAttribute('invalid token with access controls that are no text');
  if (typeof exp !== 'number') throw wrongAttribute('invalid token without expiration time');
  const now = Date.now() / 1000;
  if (now > exp) throw wrongAttribute(`cache token expired at ${timeText(exp)}`);
  if (typeof nbf === 'number' && now < nbf) throw wrongAttribute(`cache token is not good before ${timeText(nbf)}`);
  try {
    const scopes = JSON.parse(ac) as unknown;
    if (!Array.isArray(scopes)) throw new Error('they are no list');
    return scopes.filter(
      (one): one is TokenScope => typeof one?.Scope === 'string' && typeof one?.Permission === 'number',
    );
  } catch (error) {
    throw wrongAttribute(`failed to parse token access controls: ${(error as Error).message}`);
  }
}

function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const parts = token.split('.');
  try {
    if (parts.length !== 3) throw new Error();
    const claims = JSON.parse(Buffer.from(parts[1]!, 'base64url').toString()) as unknown;
    if (typeof claims === 'object' && claims !== null) return claims as Record<string, unknown>;
  } catch {
    // Nothing of it is told.
  }
  throw wrongAttribute('the token of the github actions cache is malformed');
}

function timeText(seconds: number): string {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? String(seconds) : time.toISOString();
}
