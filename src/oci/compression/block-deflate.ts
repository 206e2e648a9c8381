import { promisify } from 'node:util';
import { constants, deflateRaw, deflateRawSync } from 'node:zlib';
import { type IsalLevel, openIsalDeflater } from '../../sys/index.ts';

/** Input bytes of one block; each sees the 32 KiB before it as its dictionary. */
export const DEFLATE_BLOCK = 1 << 18;
export const DEFLATE_DICTIONARY = 1 << 15;

/** Makes byte-aligned raw deflate blocks without a final one; equal ids make equal bytes, whatever the timing. */
export interface BlockDeflater {
  readonly id: string;
  /** How many blocks may be in work at once. */
  readonly parallelism: number;
  deflate(input: Uint8Array, dictionary: Uint8Array | undefined): Promise<Uint8Array>;
  /** The same, on the thread that calls it. */
  deflateHere(input: Uint8Array, dictionary: Uint8Array | undefined): Uint8Array;
}

/** 0 stores; what is out of bounds is the nearest within. */
export function zlibLevel(wanted: number): number {
  return Math.min(9, Math.max(0, wanted));
}

const deflateRawAsync = promisify(deflateRaw) as (
  data: Uint8Array,
  options: { level: number; dictionary?: Uint8Array; finishFlush: number; chunkSize: number },
) => Promise<Buffer>;

const DEFAULT_ISAL_LEVEL: IsalLevel = 2;
/** It takes as long as making the tar and both digests: one ahead is enough for both sides to be busy, more is memory. */
const ISAL_PARALLELISM = 2;
const DEFAULT_ZLIB_LEVEL = 4;

/**
 * ISA-L level 2 where the library is there and no level is asked for, else zlib (level 4 unless said), both on libuv's threads: the measured choices.
 * `use` overrides the choice, for bytes that every builder makes.
 */
export function openBlockDeflater({
  level: wanted,
  use,
}: {
  level?: number | undefined;
  use?: 'isal' | 'zlib' | undefined;
}): BlockDeflater {
  if (use !== 'zlib' && wanted === undefined) {
    const isal = openIsalDeflater(DEFAULT_ISAL_LEVEL);
    if (isal !== undefined) return { ...isal, parallelism: ISAL_PARALLELISM };
  }
  const level = zlibLevel(wanted ?? DEFAULT_ZLIB_LEVEL);
  const options = (dictionary: Uint8Array | undefined) => ({
    level,
    finishFlush: constants.Z_SYNC_FLUSH,
    chunkSize: DEFLATE_BLOCK,
    ...(dictionary === undefined ? {} : { dictionary }),
  });
  return {
    id: `zlib-${process.versions.zlib}-l${level}`,
    parallelism: 4,
    deflate: (input, dictionary) => deflateRawAsync(input, options(dictionary)),
    deflateHere: (input, dictionary) => deflateRawSync(input, options(dictionary)),
  };
}
