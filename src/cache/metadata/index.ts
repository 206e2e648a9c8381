export { Database, type DatabaseOptions, type Parameter } from './database.ts';
export { Reserve, type ReserveOptions } from './reserve.ts';
