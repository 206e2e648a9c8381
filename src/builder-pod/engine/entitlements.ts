import { CodedError, type ErrorDetail } from '../../base/index.ts';
import type { ExecOp, LlbVertex } from '../../llb/index.ts';

const KNOWN = ['network.host', 'security.insecure'];

/** What a build may use: what it asks for and the daemon allows. @throws CodedError invalid_argument | permission_denied */
export function grantEntitlements(asked: readonly string[], allowed: ReadonlySet<string>): ReadonlySet<string> {
  for (const entitlement of asked) {
    const name = entitlement.split('=')[0]!;
    if (!KNOWN.includes(name)) {
      throw CodedError.of('ENTITLEMENT_UNKNOWN', `invalid entitlement ${entitlement}`, {
        hint: `there are ${KNOWN.join(' and ')}`,
      });
    }
    if (!allowed.has(name)) {
      throw CodedError.of(
        'ENTITLEMENT_NOT_ALLOWED',
        `granting entitlement ${entitlement} is not allowed by build daemon configuration`,
        { hint: `start the daemon with --allow-insecure-entitlement ${name}` },
      );
    }
  }
  return new Set(asked);
}

/** @throws CodedError permission_denied for a step that needs more than was granted. */
export function checkEntitlements({ op, digest }: LlbVertex, granted: ReadonlySet<string>): void {
  const { body } = op.op;
  if (body.kind === 'exec') requireEntitlements(body.exec, granted, [{ type: 'errdefs.Vertex', value: { digest } }]);
}

/** @throws CodedError permission_denied for more than was granted. */
export function requireEntitlements(
  { network, security }: Pick<ExecOp, 'network' | 'security'>,
  granted: ReadonlySet<string>,
  details: readonly ErrorDetail[] = [],
): void {
  const needs = [
    ...(network === 'host' ? ['network.host'] : []),
    ...(security === 'insecure' ? ['security.insecure'] : []),
  ];
  for (const name of needs) {
    if (granted.has(name)) continue;
    throw CodedError.of('ENTITLEMENT_MISSING', `${name} is not allowed`, {
      hint: `ask for it: buildctl build --allow ${name}`,
      details,
    });
  }
}
