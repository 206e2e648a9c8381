export { FsContentStore } from './store.ts';
