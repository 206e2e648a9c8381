import { type IncomingMessage, STATUS_CODES } from 'node:http';
import {
  annotate,
  type Code,
  CodedError,
  type CodedErrorOptions,
  isCertificateFault,
  requestWords,
  restated,
  toCodedError,
} from '../../base/index.ts';

/** One entry of a registry's own error body. */
interface RegistryDiagnostic {
  readonly code: string;
  readonly message: string;
  /** As text. */
  readonly detail?: string;
}

interface RegistryErrorOptions extends CodedErrorOptions {
  readonly status: number;
  readonly url: string;
  /** The registry's own words, '' for none. */
  readonly said?: string;
  readonly diagnostics?: readonly RegistryDiagnostic[];
  readonly retryAfterMs?: number;
}

/** A registry said no. `url` has no secrets in it. */
export class RegistryError extends CodedError {
  readonly status: number;
  readonly url: string;
  readonly said: string;
  readonly diagnostics: readonly RegistryDiagnostic[];
  /** What the registry asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, message: string, options: RegistryErrorOptions) {
    super(code, message, options);
    this.status = options.status;
    this.url = options.url;
    this.said = options.said ?? '';
    this.diagnostics = options.diagnostics ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

const PLAIN_PARAMETERS = new Set(['digest', 'mount', 'from', 'n', 'last', 'scope', 'service', 'artifactType']);

/** The URL without user info and with every query value blanked that may be a secret (signed redirects, upload states). */
function redactUrl(url: URL): string {
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
  const body = method === 'HEAD' ? '' : await readPrefix(response);
  const diagnostics = parseDiagnostics(body);
  const shown = redactUrl(url);
  const said = diagnostics.length > 0 ? diagnostics.map(renderDiagnostic).join('; ') : readableText(body);
  const phrase = response.statusMessage || STATUS_CODES[status] || '';
  const retryAfterMs = parseRetryAfter(response.headers['retry-after']);
  const answer = `unexpected status from ${method} request to ${shown}: ${`${status} ${phrase}`.trim()}`;
  return new RegistryError(codeOfStatus(status), said === '' ? answer : `${answer}: ${said}`, {
    status,
    url: shown,
    said,
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
    return errors.slice(0, 10).map((entry: { code?: unknown; message?: unknown; detail?: unknown }) => ({
      code: printable(String(entry?.code ?? 'UNKNOWN')).slice(0, 100),
      message: printable(String(entry?.message ?? '')).slice(0, 1000),
      detail: detailText(entry?.detail),
    }));
  } catch {
    return [];
  }
}

function detailText(detail: unknown): string {
  if (detail === undefined || detail === null || detail === '') return '';
  const text = typeof detail === 'string' ? detail : JSON.stringify(detail);
  return text === '{}' || text === '[]' ? '' : printable(text).slice(0, 1000);
}

/** As Docker and BuildKit tell it, for who searches for their words. */
function renderDiagnostic({ code, message, detail }: RegistryDiagnostic): string {
  return [code.toLowerCase().replaceAll('_', ' '), message, detail].filter(Boolean).join(': ');
}

/** What a body that is no error list says, in one line: the text of a page without its tags and scripts, or as it is. */
function readableText(body: string): string {
  if (body.includes('\ufffd')) return '';
  const text = /<(?:!doctype|html)\b/i.test(body)
    ? body.replace(/<(script|style|head)\b[\s\S]*?<\/\1\s*>/gi, ' ').replace(/<[^>]*>/g, ' ')
    : body;
  return printable(text).slice(0, 1000);
}

function printable(text: string): string {
  return text.replace(/[\u0000-\u0020\u007f-\u009f]+/g, ' ').trim();
}

function codeOfStatus(status: number): Code {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'permission_denied';
  if (status === 404) return 'not_found';
  if (status === 413 || status === 429 || status === 507) return 'resource_exhausted';
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
function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** A failure of the connection as one of ours: which request, and for untrusted certificates what to do. */
export function connectionError(
  method: string,
  url: URL,
  error: unknown,
  context = 'failed to do request',
): CodedError {
  if (error instanceof CodedError && error.reason !== 'REGISTRY_CUT') return error;
  return CodedError.of(
    isCertificateFault(error) ? 'REGISTRY_CERTIFICATE' : 'REGISTRY_CONNECTION',
    `${context}: ${requestWords(method, redactUrl(url), error)}`,
    { cause: error },
  );
}

/** The failure of a push, with context; a refusal is one to push, not to pull. */
export function pushError(error: unknown, context: string): CodedError {
  const { code, reason } = toCodedError(error);
  const refused =
    reason?.startsWith('REGISTRY_') === true && (code === 'unauthenticated' || code === 'permission_denied');
  return restated(annotate(error, context), refused ? { reason: 'PUSH_REFUSED' } : {});
}

/** What registries answer to a manifest of which they miss a blob. */
const UNKNOWN_BLOB: ReadonlySet<string> = new Set(['MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN']);

/** Whether a manifest was refused since the registry misses a blob that it names. */
export function isBlobUnknown(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause)
    if (one instanceof RegistryError && one.diagnostics.some(({ code }) => UNKNOWN_BLOB.has(code))) return true;
  return false;
}
