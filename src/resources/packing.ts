import { z } from 'zod';
import { defaultsTo } from './strings.ts';

/** How layers are packed, of outputs and of caches. */
export const packing = {
  compression: defaultsTo(
    z.enum(['gzip', 'estargz', 'zstd', 'uncompressed']).describe('How layers are packed that are made anew.'),
    'gzip',
  ).optional(),
  compressionLevel: z
    .number()
    .int()
    .min(0)
    .max(22)
    .describe('0 (none) to 9 for gzip and estargz, 1 to 22 for zstd; default fast.')
    .optional(),
};
