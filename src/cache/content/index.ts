export { FsContentStore, type FsContentStoreOptions } from './store.ts';
