/** Whose fault a failure is; decides `status.failure.class`, retries and exit codes. */
export type Fault = 'user' | 'policy' | 'infrastructure' | 'cancelled';

/** The sixteen gRPC failure codes by their canonical lower-case names. */
export type Code =
  | 'cancelled'
  | 'unknown'
  | 'invalid_argument'
  | 'deadline_exceeded'
  | 'not_found'
  | 'already_exists'
  | 'permission_denied'
  | 'resource_exhausted'
  | 'failed_precondition'
  | 'aborted'
  | 'out_of_range'
  | 'unimplemented'
  | 'internal'
  | 'unavailable'
  | 'data_loss'
  | 'unauthenticated';

/** The fault a code stands for when nothing else is said. */
export function faultOfCode(code: Code): Fault {
  switch (code) {
    case 'cancelled':
      return 'cancelled';
    case 'permission_denied':
      return 'policy';
    case 'invalid_argument':
    case 'not_found':
    case 'already_exists':
    case 'failed_precondition':
    case 'out_of_range':
    case 'unimplemented':
    case 'unauthenticated':
      return 'user';
    default:
      return 'infrastructure';
  }
}
