export { ContentTreeBuilder } from './builder.ts';
export type { ContentChange, ContentChanges } from './changes.ts';
export { type ContentSelector, selectionText } from './checksum.ts';
export { type EntryHash, entryHash } from './entry-hash.ts';
export { ContentHasher } from './hasher.ts';
