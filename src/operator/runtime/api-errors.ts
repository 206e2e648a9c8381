import { type Code, CodedError } from '../../base/index.ts';

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

/** A refused call as a coded error; reason `KUBE_<reason of the server>`. The platform's fault: the objects are ours. */
export function apiError(what: string, status: number, body: string): CodedError {
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
  return new CodedError(code, `${what}: ${parsed.message ?? `HTTP status ${status}`}`, {
    fault: 'infrastructure',
    reason: `KUBE_${tooLarge ? 'TooLarge' : (parsed.reason ?? status)}`,
    ...(code === 'permission_denied' ? { hint: 'does the account have the role of deploy/?' } : {}),
  });
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
