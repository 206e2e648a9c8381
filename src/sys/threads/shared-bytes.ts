/** What is copied from thread to thread in less time than it takes to share it. */
const FEW = 256 << 10;

/** The bytes, where they are many in memory that threads hand on without a copy. */
export function sharedBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= FEW || bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}
