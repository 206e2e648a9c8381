import { CodedError } from './errors.ts';
import { goQuote } from './go-quote.ts';

/** What Node's errors of connections carry. */
interface TransportError extends Error {
  readonly code?: string;
  readonly syscall?: string;
  readonly hostname?: string;
  readonly address?: string;
  readonly port?: number;
  /** Of a certificate for other names. */
  readonly host?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

/** Of the calls that a connection is made with; `dial tcp` and the address come before them. */
const DIAL: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'connect: connection reset by peer',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  EADDRNOTAVAIL: 'connect: cannot assign requested address',
  EACCES: 'connect: permission denied',
  EPERM: 'connect: operation not permitted',
  ETIMEDOUT: 'i/o timeout',
};

const LOOKUP: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'server misbehaving',
};

const UNKNOWN_AUTHORITY = 'certificate signed by unknown authority';
const EXPIRED = 'certificate has expired or is not yet valid';
const CERTIFICATE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: EXPIRED,
};

/** Of a connection that is there. By code, or by text where a code says several things. */
const TALK: readonly (readonly [RegExp, string])[] = [
  [/^socket hang up|^Client network socket disconnected/, 'EOF'],
  [/^aborted$|^Z_BUF_ERROR|^ERR_STREAM_PREMATURE_CLOSE/, 'unexpected EOF'],
  [/^ECONNRESET/, 'connection reset by peer'],
  [/^EPIPE/, 'broken pipe'],
  [/^(?:read|write) ETIMEDOUT/, 'connection timed out'],
  [/^HPE_/, 'net/http: HTTP/1.x transport connection broken: malformed HTTP response'],
  [/wrong version number|packet length too long/, 'http: server gave HTTP response to HTTPS client'],
];

/** Whether a connection failed since the other side's certificate is not trusted. */
export function isCertificateFault(error: unknown): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_/.test((error as TransportError).code ?? '');
}

/** What went wrong with a connection in the words of Go's programs: people, scripts and whoever tries again look for those, and BuildKit says them. */
export function transportWords(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return transportWords(error.errors[0]);
  if (error instanceof CodedError || !(error instanceof Error))
    return error instanceof Error ? error.message : `${error}`;
  const { code = '', syscall = '', message, hostname, address, port } = error as TransportError;
  const lookup = LOOKUP[code];
  if (lookup !== undefined) return `dial tcp: lookup ${hostname}: ${lookup}`;
  const dial = DIAL[code];
  if (syscall === 'connect' && dial !== undefined) {
    const shown = address?.includes(':') ? `[${address}]` : address;
    return `dial tcp${shown === undefined ? '' : ` ${shown}:${port}`}: ${dial}`;
  }
  if (isCertificateFault(error)) return `tls: failed to verify certificate: x509: ${certificateWords(error)}`;
  const alert = /alert ([a-z ]+):/.exec(message)?.[1];
  if (alert !== undefined) return `remote error: tls: ${alert.trim()}`;
  const words =
    TALK.find(([pattern]) => pattern.test(message))?.[1] ?? TALK.find(([pattern]) => pattern.test(code))?.[1];
  if (words === undefined) return message;
  return code !== 'EPROTO' && (syscall === 'read' || syscall === 'write') ? `${syscall}: ${words}` : words;
}

function certificateWords({ code = '', message, host = '', cert }: TransportError): string {
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID') return CERTIFICATE[code] ?? message;
  const names = [...(cert?.subjectaltname ?? '').matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name]) => name);
  return names.length === 0
    ? `certificate is not valid for any names, but wanted to match ${host}`
    : `certificate is valid for ${names.join(', ')}, not ${host}`;
}

/** A request that got no answer, as Go's client tells it. */
export function requestWords(method: string, url: string, error: unknown): string {
  return `${method[0]}${method.slice(1).toLowerCase()} ${goQuote(url)}: ${transportWords(error)}`;
}
