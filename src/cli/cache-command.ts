import { z } from 'zod';
import { invalidArgument, millisecondsIn } from '../base/index.ts';

const SIZES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  t: 1e12,
  tb: 1e12,
  ki: 2 ** 10,
  kib: 2 ** 10,
  mi: 2 ** 20,
  mib: 2 ** 20,
  gi: 2 ** 30,
  gib: 2 ** 30,
  ti: 2 ** 40,
  tib: 2 ** 40,
};
const SIZE = /^(\d+(?:\.\d+)?)([kmgt]i?b?|b?)$/i;

const size = z
  .string()
  .regex(SIZE, 'must be a size, e.g. 500MB or 20GiB')
  .transform((text) => {
    const [, amount = '0', unit = ''] = SIZE.exec(text) ?? [];
    return Math.floor(Number(amount) * (SIZES[unit.toLowerCase()] ?? 1));
  });

const age = z
  .string()
  .regex(/^(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?$/, 'must be an age, e.g. 7d, 36h or 30m')
  .refine((text) => text !== '', 'must be an age, e.g. 7d, 36h or 30m')
  .transform((text) => {
    const [, days = '0', rest = ''] = /^(?:(\d+)d)?(.*)$/.exec(text) ?? [];
    return Number(days) * 86_400_000 + (rest === '' ? 0 : millisecondsIn(rest));
  });

export const cacheOptions = z.object({
  output: z.enum(['table', 'json', 'yaml'], { error: 'must be table, json or yaml' }).default('table'),
  insecure: z.boolean().default(false),
  'keep-last': z
    .string()
    .regex(/^\d{1,6}$/, 'must be a number')
    .transform(Number)
    .optional(),
  'older-than': age.optional(),
  'max-size': size.optional(),
  blobs: z.boolean().default(false),
  'dry-run': z.boolean().default(false),
});

export interface CacheCommand {
  readonly kind: 'cache';
  readonly action: 'ls' | 'inspect' | 'prune';
  readonly reference: string;
  readonly output: 'table' | 'json' | 'yaml';
  readonly insecure: boolean;
  readonly keep: {
    readonly keepLast: number | undefined;
    readonly olderThanMs: number | undefined;
    readonly maxBytes: number | undefined;
  };
  /** Whether blobs go, too. */
  readonly blobs: boolean;
  readonly dryRun: boolean;
}

/** @throws CodedError invalid_argument */
export function cacheCommand(data: z.output<typeof cacheOptions>, positionals: readonly string[]): CacheCommand {
  const [action, reference] = positionals;
  if (action !== 'ls' && action !== 'inspect' && action !== 'prune')
    throw invalidArgument(`slipway cache: ${JSON.stringify(action ?? '')} is none of ls, inspect and prune`);
  if (reference === undefined)
    throw invalidArgument(`slipway cache ${action}: name a repository, e.g. registry.example.com/team/cache`);
  const keep = { keepLast: data['keep-last'], olderThanMs: data['older-than'], maxBytes: data['max-size'] };
  const isSaid = Object.values(keep).some((value) => value !== undefined);
  const { blobs, 'dry-run': dryRun } = data;
  if (action === 'prune' && !isSaid)
    throw invalidArgument('slipway cache prune: say what stays: --keep-last, --older-than or --max-size');
  if (action !== 'prune' && (isSaid || dryRun || blobs))
    throw invalidArgument(
      `slipway cache ${action}: --keep-last, --older-than, --max-size, --blobs and --dry-run go with prune`,
    );
  return {
    ...{ kind: 'cache', action, reference, output: data.output, insecure: data.insecure, keep, dryRun, blobs },
  };
}
