export { Database, type Migration, type Parameter } from './database.ts';
export { Reserve } from './reserve.ts';
