export { ContentTreeBuilder, type ReceivedEntry } from './builder.ts';
export type { ContentSelector } from './checksum.ts';
export { type EntryHash, type EntryHeader, entryHash } from './entry-hash.ts';
export { ContentHasher } from './hasher.ts';
