import type { IncomingMessage } from 'node:http';
import { type Code, CodedError, type CodedErrorOptions, toCodedError } from '../../base/index.ts';

/** One entry of a registry's own error body. */
export interface RegistryDiagnostic {
  readonly code: string;
  readonly message: string;
}

export interface RegistryErrorOptions extends CodedErrorOptions {
  readonly status: number;
  readonly url: string;
  readonly diagnostics?: readonly RegistryDiagnostic[];
  readonly retryAfterMs?: number;
}

/** A registry said no. `url` has no secrets in it. */
export class RegistryError extends CodedError {
  readonly status: number;
  readonly url: string;
  readonly diagnostics: readonly RegistryDiagnostic[];
  /** What the registry asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, message: string, options: RegistryErrorOptions) {
    super(code, message, options);
    this.status = options.status;
    this.url = options.url;
    this.diagnostics = options.diagnostics ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

const PLAIN_PARAMETERS = new Set(['digest', 'mount', 'from', 'n', 'last', 'scope', 'service', 'artifactType']);

/** The URL without user info and with every query value blanked that may be a secret (signed redirects, upload states). */
export function redactUrl(url: URL): string {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  copy.hash = '';
  for (const key of new Set(copy.searchParams.keys()))
    if (!PLAIN_PARAMETERS.has(key)) copy.searchParams.set(key, 'REDACTED');
  return copy.href;
}

const ERROR_BODY_LIMIT = 64 << 10;

/** Reads a response's error body (at most 64 KiB) and makes the error of it. */
export async function errorFromResponse(method: string, url: URL, response: IncomingMessage): Promise<RegistryError> {
  const status = response.statusCode ?? 0;
  const diagnostics = method === 'HEAD' ? [] : parseDiagnostics(await readPrefix(response));
  const shown = redactUrl(url);
  const said =
    diagnostics.length > 0
      ? diagnostics.map(({ code, message }) => (message === '' ? code : `${code}: ${message}`)).join('; ')
      : method === 'HEAD'
        ? 'a HEAD answer gives no reason'
        : 'no reason given';
  const retryAfterMs = parseRetryAfter(response.headers['retry-after']);
  return new RegistryError(codeOfStatus(status), `${method} ${shown}: status ${status} (${said})`, {
    status,
    url: shown,
    diagnostics,
    reason: 'REGISTRY_REFUSED',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...hintOfStatus(status),
  });
}

async function readPrefix(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > ERROR_BODY_LIMIT) break;
    }
  } catch {
    // The status says enough.
  }
  return Buffer.concat(chunks).toString();
}

function parseDiagnostics(text: string): RegistryDiagnostic[] {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    if (!Array.isArray(errors)) return [];
    return errors.slice(0, 10).map((entry: { code?: unknown; message?: unknown }) => ({
      code: String(entry?.code ?? 'UNKNOWN').slice(0, 100),
      message: String(entry?.message ?? '').slice(0, 1000),
    }));
  } catch {
    return [];
  }
}

function codeOfStatus(status: number): Code {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'permission_denied';
  if (status === 404) return 'not_found';
  if (status === 413 || status === 429) return 'resource_exhausted';
  if (status === 416) return 'out_of_range';
  if (status === 405 || status === 501) return 'unimplemented';
  if (status === 408 || status >= 500) return 'unavailable';
  return 'failed_precondition';
}

function hintOfStatus(status: number): { hint?: string } {
  if (status === 401) return { hint: 'check the credentials for this registry' };
  if (status === 403) return { hint: 'check that these credentials may use this repository' };
  if (status === 429) return { hint: 'the registry limits requests: wait, or log in for a higher limit' };
  return {};
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3), as milliseconds from now. */
export function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** A failure of the connection as one of ours: which request, and for untrusted certificates what to do. */
export function connectionError(method: string, url: URL, error: unknown): CodedError {
  if (error instanceof CodedError && error.reason !== 'REGISTRY_CUT') return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO_/.test(code);
  return new CodedError(
    certificate ? 'failed_precondition' : 'unavailable',
    `${method} ${redactUrl(url)}: ${toCodedError(error).message}`,
    {
      cause: error,
      reason: certificate ? 'REGISTRY_CERTIFICATE' : 'REGISTRY_CONNECTION',
      ...(certificate ? { hint: "add the registry's CA certificate to its host configuration" } : {}),
    },
  );
}
