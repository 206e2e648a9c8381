import { z } from 'zod';
import { invalidArgument } from '../../base/index.ts';

/** What of a log is wanted, and how. */
export interface LogQuery {
  readonly follow: boolean;
  /** Milliseconds since the epoch; undefined for all. */
  readonly since: number | undefined;
  readonly tailLines: number | undefined;
  readonly timestamps: boolean;
  /** Number of a step, or a part of its name. */
  readonly step: string | undefined;
  readonly format: 'plain' | 'json';
  readonly limitBytes: number | undefined;
  /** One attempt alone. */
  readonly attempt: number | undefined;
}

const flag = z
  .enum(['', 'true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((text) => text !== 'false' && text !== '0');
const whole = (least: number) =>
  z
    .string()
    .regex(/^[0-9]{1,15}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= least, `must be at least ${least}`);

const schema = z.strictObject({
  follow: flag.optional(),
  sinceSeconds: whole(1).optional(),
  sinceTime: z.iso
    .datetime({ offset: true, error: 'must be a time as 2026-01-31T12:00:00Z' })
    .transform((text) => Date.parse(text))
    .optional(),
  tailLines: whole(0).optional(),
  timestamps: flag.optional(),
  step: z.string().min(1, 'names no step').max(1024, 'is too long').optional(),
  format: z.enum(['plain', 'json'], { error: 'must be plain or json' }).optional(),
  limitBytes: whole(1).optional(),
  attempt: whole(1).optional(),
});

/** @throws CodedError invalid_argument that names the parameter */
export function parseLogQuery(parameters: URLSearchParams, now: number): LogQuery {
  const given: Record<string, string> = {};
  for (const [name, value] of parameters) {
    if (given[name] !== undefined) throw invalidArgument(`${name} is given twice`);
    given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    if (issue?.code === 'unrecognized_keys')
      throw invalidArgument(`unknown parameter ${issue.keys[0]}: there are ${Object.keys(schema.shape).join(', ')}`);
    throw invalidArgument(`${issue?.path.join('.')} ${issue?.message}`);
  }
  const { follow, sinceSeconds, sinceTime, tailLines, timestamps, step, format, limitBytes, attempt } = parsed.data;
  if (sinceSeconds !== undefined && sinceTime !== undefined)
    throw invalidArgument('sinceSeconds and sinceTime exclude each other');
  return {
    follow: follow ?? false,
    since: sinceTime ?? (sinceSeconds === undefined ? undefined : now - sinceSeconds * 1000),
    tailLines,
    timestamps: timestamps ?? false,
    step,
    format: format ?? 'plain',
    limitBytes,
    attempt,
  };
}
