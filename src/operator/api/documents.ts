import { type CodedError, toCodedError } from '../../base/index.ts';
import { API_GROUP, API_VERSION } from './names.ts';

const GROUP_VERSION = `${API_GROUP}/${API_VERSION}`;

/** What clients ask an API for before they use it, by path. */
export const DISCOVERY: ReadonlyMap<string, object> = new Map<string, object>([
  [
    `/apis/${API_GROUP}`,
    {
      kind: 'APIGroup',
      apiVersion: 'v1',
      name: API_GROUP,
      versions: [{ groupVersion: GROUP_VERSION, version: API_VERSION }],
      preferredVersion: { groupVersion: GROUP_VERSION, version: API_VERSION },
    },
  ],
  [
    `/apis/${GROUP_VERSION}`,
    {
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: GROUP_VERSION,
      resources: [subresource('builds/log', 'BuildLog', ['get']), subresource('buildruns/log', 'BuildRunLog', ['get'])],
    },
  ],
  ['/openapi/v2', { swagger: '2.0', info: { title: 'Slipway logs', version: API_VERSION }, paths: {} }],
  ['/openapi/v3', { paths: {} }],
]);

function subresource(name: string, kind: string, verbs: readonly string[]): object {
  return { name, singularName: '', namespaced: true, kind, verbs };
}

const HTTP: Readonly<Record<string, readonly [status: number, reason: string]>> = {
  invalid_argument: [400, 'BadRequest'],
  unauthenticated: [401, 'Unauthorized'],
  permission_denied: [403, 'Forbidden'],
  not_found: [404, 'NotFound'],
  unimplemented: [405, 'MethodNotAllowed'],
  failed_precondition: [409, 'Conflict'],
  aborted: [409, 'Conflict'],
  out_of_range: [410, 'Gone'],
  resource_exhausted: [429, 'TooManyRequests'],
  unavailable: [503, 'ServiceUnavailable'],
  deadline_exceeded: [504, 'Timeout'],
};

/** An error as the API server's clients read one. */
export function statusOf(error: unknown): { readonly code: number; readonly body: object } {
  const coded: CodedError = toCodedError(error);
  const [code, reason] = HTTP[coded.code] ?? [500, 'InternalError'];
  const message = coded.hint === undefined ? coded.message : `${coded.message} (${coded.hint})`;
  const details = code === 429 ? { details: { retryAfterSeconds: RETRY_SECONDS } } : {};
  return {
    code,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code, ...details },
  };
}

export const RETRY_SECONDS = 5;
