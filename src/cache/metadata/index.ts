export { Database, type DatabaseOptions, type Parameter } from './database.ts';
