/** How a byte stream is packed. `xz` and `bzip2` are only ever read, in archives that ADD unpacks. */
export type StreamCompression = 'gzip' | 'zstd' | 'uncompressed' | 'xz' | 'bzip2';

/** First bytes that {@link detectCompression} wants to see. */
export const DETECT_BYTES = 10;

const BZIP2_BLOCK = Buffer.from('314159265359', 'hex');

/** Tells compression by magic bytes (RFC 1952, RFC 8878, the xz format, bzip2). */
export function detectCompression(head: Uint8Array): StreamCompression {
  const at = (index: number) => head[index] ?? -1;
  if (at(0) === 0x1f && at(1) === 0x8b && at(2) === 8) return 'gzip';
  if (at(0) === 0x28 && at(1) === 0xb5 && at(2) === 0x2f && at(3) === 0xfd) return 'zstd';
  // A stream may begin with a skippable zstd frame.
  if ((at(0) & 0xf0) === 0x50 && at(1) === 0x2a && at(2) === 0x4d && at(3) === 0x18) return 'zstd';
  if (at(0) === 0xfd && at(1) === 0x37 && at(2) === 0x7a && at(3) === 0x58 && at(4) === 0x5a && at(5) === 0)
    return 'xz';
  const isBzip2 = at(0) === 0x42 && at(1) === 0x5a && at(2) === 0x68 && at(3) >= 0x31 && at(3) <= 0x39;
  if (isBzip2 && BZIP2_BLOCK.equals(head.subarray(4, 10))) return 'bzip2';
  return 'uncompressed';
}
