export { type KeyRecord, walkKeys } from './export-walk.ts';
export { SqliteKeyStore } from './store.ts';
