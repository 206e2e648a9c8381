export { Trash } from './trash.ts';
