import { type Code, CodedError } from '../../base/index.ts';

/** The API server refuses a call. */
export class KubeError extends CodedError {
  /** Its own word for it, or the HTTP status. */
  readonly refusal: string;

  constructor(code: Code, message: string, refusal: string, options: { readonly hint?: string | undefined }) {
    super(code, message, { ...options, reason: 'KUBE_REFUSED' });
    this.refusal = refusal;
  }
}

/** What of a `Status` object is read (API concepts, "Response codes"). */
interface StatusBody {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

const BY_HTTP: Readonly<Record<number, Code>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  405: 'unimplemented',
  409: 'aborted',
  410: 'out_of_range',
  413: 'resource_exhausted',
  422: 'invalid_argument',
  429: 'unavailable',
  504: 'unavailable',
};

export function apiError(what: string, status: number, body: string): KubeError {
  let parsed: StatusBody = {};
  try {
    parsed = JSON.parse(body) as StatusBody;
  } catch {
    // A proxy's page: the number says enough.
  }
  // What etcd refuses for its size comes as an error of the server itself, in the words of etcd or of its client.
  const tooLarge =
    status === 413 || (status >= 500 && /request is too large|message larger than max/.test(parsed.message ?? ''));
  const code =
    parsed.reason === 'AlreadyExists'
      ? 'already_exists'
      : tooLarge
        ? 'resource_exhausted'
        : (BY_HTTP[status] ?? (status >= 500 ? 'unavailable' : 'unknown'));
  return new KubeError(
    code,
    `${what}: ${parsed.message ?? `HTTP status ${status}`}`,
    tooLarge ? 'TooLarge' : (parsed.reason ?? String(status)),
    { hint: code === 'permission_denied' ? 'does the account have the role that the chart gives it?' : undefined },
  );
}

/** Milliseconds after which a refused call may come again; undefined when the server names none. */
export function retryAfterMs(header: string | undefined, body: string): number | undefined {
  const seconds = Number(header);
  if (header !== undefined && Number.isFinite(seconds)) return Math.max(0, seconds) * 1000;
  try {
    const given = (JSON.parse(body) as StatusBody).details?.retryAfterSeconds;
    return given === undefined ? undefined : given * 1000;
  } catch {
    return undefined;
  }
}
