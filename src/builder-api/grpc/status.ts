import { type Code, CodedError, type ErrorDetail, type Fault, parseReason, toCodedError } from '../../base/index.ts';
import { google } from '../wire/core.js';

const CODES: readonly (Code | 'ok')[] = [
  'ok',
  'cancelled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
];

/** Typed details of BuildKit are JSON behind these two; ours carries what gRPC has no place for. */
const BUILDKIT_PREFIX = 'github.com/moby/buildkit/';
const JSON_SUFFIX = '+json';
const SLIPWAY_ERROR = 'slipway.build/error+json';
/** Room for details in the one header that holds them: nghttp2 (every Node client) takes a value of 64 KB, Go's client megabytes. */
const MAX_DETAILS_BYTES = 45 * 1024;
const MAX_DETAILS_BYTES_GO = 3 * 1024 * 1024;
/** What tags and lengths around a detail take at most. */
const DETAIL_FRAME = 24;
const MAX_MESSAGE_CHARACTERS = 12 * 1024;

function grpcCodeOf(code: Code): number {
  return CODES.indexOf(code);
}

/** The code of a grpc-status number; what is out of range is `unknown`. 0 has no failure code. */
export function codeOfGrpc(status: number): Code {
  const code = CODES[status];
  return code === undefined || code === 'ok' ? 'unknown' : code;
}

/** The code that a failure has on the wire. Its own travels as a detail all the same. */
export type WireCode = (error: CodedError) => Code;

const ownCode: WireCode = ({ code }) => code;

/** A failure as google.rpc.Status, with its typed details. */
export function statusOfError(
  error: unknown,
  wireCode: WireCode = ownCode,
): google.rpc.Status.$Properties & { code: number; message: string } {
  const coded = toCodedError(error);
  const details = coded.details.map(encodeDetail);
  const own = { code: coded.code, reason: coded.reason, fault: coded.fault, hint: coded.hint };
  details.push({ typeUrl: SLIPWAY_ERROR, value: Buffer.from(JSON.stringify(own)) });
  return { code: grpcCodeOf(wireCode(coded)), message: coded.message, details };
}

/** The failure that a google.rpc.Status tells of. A status without a code is `unknown`. */
export function errorOfStatus(status: google.rpc.Status.$Properties): CodedError {
  const details: ErrorDetail[] = [];
  let own: { code?: unknown; reason?: unknown; fault?: unknown; hint?: unknown } = {};
  for (const any of status.details ?? []) {
    const detail = decodeDetail(any);
    if (detail.type === SLIPWAY_ERROR) own = (detail.value ?? {}) as typeof own;
    else details.push(detail);
  }
  const code = codeOfGrpc(status.code ?? 2);
  return new CodedError(code === 'unknown' && isCode(own.code) ? own.code : code, status.message ?? '', {
    details,
    reason: parseReason(own.reason),
    hint: own.hint === undefined ? undefined : String(own.hint),
    fault: isFault(own.fault) ? own.fault : undefined,
  });
}

/** Trailers that end a failed call. Details that the peer's header limits cannot hold are left out, largest first. */
export function trailersOfError(error: unknown, userAgent = '', wireCode = ownCode): Record<string, string> {
  const { code, message, details = [] } = statusOfError(error, wireCode);
  const text = message.slice(0, MAX_MESSAGE_CHARACTERS);
  const room = userAgent.includes('grpc-go') ? MAX_DETAILS_BYTES_GO : MAX_DETAILS_BYTES;
  let left = room - DETAIL_FRAME - Buffer.byteLength(text);
  const kept = new Set(
    [...(details ?? [])]
      .sort((a, b) => size(a) - size(b))
      .filter((detail) => {
        left -= size(detail);
        return left >= 0;
      }),
  );
  const status = { code, message: text, details: (details ?? []).filter((detail) => kept.has(detail)) };
  const bytes = google.rpc.Status.encode(status).finish();
  return {
    'grpc-status': String(code),
    'grpc-message': percentEncode(text),
    'grpc-status-details-bin': Buffer.from(bytes).toString('base64').replace(/=+$/, ''),
  };
}

/** Of its encoding, at most. */
function size(detail: google.rpc.Any.$Properties): number {
  return DETAIL_FRAME + (detail.typeUrl?.length ?? 0) + (detail.value?.length ?? 0);
}

/** The failure in a call's trailers (or trailers-only headers); undefined for OK. */
export function errorOfTrailers(
  status: number,
  message: string,
  details: Uint8Array | undefined,
): CodedError | undefined {
  if (status === 0) return undefined;
  if (details !== undefined && details.length > 0)
    try {
      const decoded = google.rpc.Status.decode(details);
      return errorOfStatus({ details: decoded.details ?? [], code: status, message: decoded.message || message });
    } catch {
      // The plain code and text still say what failed.
    }
  return new CodedError(codeOfGrpc(status), message);
}

/** Percent-encoding of grpc-message: everything outside printable ASCII, and the percent sign. */
export function percentEncode(text: string): string {
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[^\x20-\x24\x26-\x7e]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** The reverse; broken sequences stay as they are. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  const latin1 = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function encodeDetail(detail: ErrorDetail): google.rpc.Any.$Properties {
  if (detail.value instanceof Uint8Array) return { typeUrl: detail.type, value: detail.value };
  return {
    typeUrl: `${BUILDKIT_PREFIX}${detail.type}${JSON_SUFFIX}`,
    value: Buffer.from(JSON.stringify(detail.value)),
  };
}

/** JSON details by their short name; anything else keeps its type URL and its bytes, so that passing it on loses nothing. */
function decodeDetail(any: google.rpc.Any.$Properties): ErrorDetail {
  const typeUrl = any.typeUrl ?? '';
  const value = any.value ?? new Uint8Array();
  if (typeUrl === SLIPWAY_ERROR || (typeUrl.startsWith(BUILDKIT_PREFIX) && typeUrl.endsWith(JSON_SUFFIX)))
    try {
      const type = typeUrl === SLIPWAY_ERROR ? typeUrl : typeUrl.slice(BUILDKIT_PREFIX.length, -JSON_SUFFIX.length);
      return { type, value: JSON.parse(Buffer.from(value).toString('utf8')) as unknown };
    } catch {
      // Not JSON after all: keep the bytes.
    }
  return { type: typeUrl, value: Buffer.from(value) };
}

function isCode(value: unknown): value is Code {
  return value !== 'ok' && (CODES as readonly unknown[]).includes(value);
}

function isFault(value: unknown): value is Fault {
  return value === 'user' || value === 'policy' || value === 'infrastructure' || value === 'cancelled';
}
