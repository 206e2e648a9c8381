import { z } from 'zod';
import { byteSize, defaultsTo, duration, list, text } from './strings.ts';

const ref = text(512, 'Registry reference.').min(1);

const from = z.strictObject({ ref }).describe('A cache to read.');

const to = z
  .strictObject({
    ref,
    mode: defaultsTo(
      z
        .enum(['min', 'max', 'continuous'])
        .describe(
          '`min`: results that the image has; `max`: those of all steps; `continuous`: the same, each written when it is finished, so that a run that comes to no end leaves them.',
        ),
      'min',
    ).optional(),
    keepLast: defaultsTo(
      z.number().int().min(1).max(1000).describe('Results of one step that are kept, those of other runs among them.'),
      5,
    ).optional(),
    maxAge: defaultsTo(duration('Results of other runs that are older go.', '8760h'), '720h').optional(),
    maxSize: byteSize('What all layers of it may come to, such as 20Gi.').optional(),
  })
  .describe('A cache to write.');

/** `spec.cache` of a Build. */
export const cache = z
  .strictObject({
    from: list(
      from,
      16,
      'Caches in registries to read, BuildKit’s or ours; the image itself where its cache is inline. One that is away costs time.',
    ).optional(),
    to: list(
      to,
      8,
      'Caches in registries to write, beside what is there; one that cannot be written does not fail the run: its condition CacheExported says why.',
    ).optional(),
    scope: text(128, 'Tenant scope of the cache (default: the namespace).').optional(),
    noCache: z.boolean().describe('Run every step again.').optional(),
  })
  .describe('Cache use.');
