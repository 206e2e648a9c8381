export { type KeyRecord, walkKeys } from './export-walk.ts';
export { HeldKeys, KeySketch } from './held-keys.ts';
export { SqliteKeyStore } from './store.ts';
