export { Database, type DatabaseOptions, type Migration, type Parameter } from './database.ts';
export { Reserve, type ReserveOptions } from './reserve.ts';
