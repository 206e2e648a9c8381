import { CodedError } from '../../../base/index.ts';
import type { ExecOp } from '../../../llb/index.ts';
import type { OpContext } from '../../../solver/ports.ts';
import type { SourceSecrets } from '../../sources/index.ts';

/** On whose behalf a container is made. */
export type ExecContext = Pick<OpContext, 'signal' | 'owner' | 'sessions' | 'scope'>;

/** As BuildKit's clients bound them. */
const MAX_SECRET = 500 << 10;

/**
 * The secret's value from the sessions of the builds that want the step now; undefined when it is optional and nobody has it.
 * @throws CodedError not_found.
 */
export async function requireSecret(
  wanted: { readonly id: string; readonly optional: boolean },
  secrets: SourceSecrets,
  context: ExecContext,
): Promise<Uint8Array | undefined> {
  const value = await secrets.secret(wanted.id, context.sessions(), { signal: context.signal });
  if (value === undefined) {
    if (wanted.optional) return undefined;
    throw CodedError.of('EXEC_SECRET_MISSING', `secret ${wanted.id}: not found`, {
      hint: `pass --secret id=${wanted.id} to the build, or make the mount optional with required=false`,
    });
  }
  if (value.length > MAX_SECRET) {
    throw new CodedError('invalid_argument', `secret ${wanted.id}: larger than ${MAX_SECRET} bytes`);
  }
  return value;
}

/** Environment entries for `secretEnv`; they come after the step's own, which therefore win. */
export async function secretEnvironment(
  secretEnv: ExecOp['secretEnv'],
  secrets: SourceSecrets,
  context: ExecContext,
): Promise<string[]> {
  const entries: string[] = [];
  for (const wanted of secretEnv) {
    const value = await requireSecret(wanted, secrets, context);
    // An optional one that nobody has is empty, as with BuildKit.
    if (value?.includes(0)) {
      throw new CodedError(
        'invalid_argument',
        `secret ${wanted.id}: holds a zero byte and cannot be an environment variable`,
      );
    }
    entries.push(`${wanted.name}=${Buffer.from(value ?? []).toString('utf8')}`);
  }
  return entries;
}
