export { ContentTreeBuilder } from './builder.ts';
export type { ContentSelector } from './checksum.ts';
export { type EntryHash, entryHash } from './entry-hash.ts';
export { ContentHasher } from './hasher.ts';
