export { type Builder, openBuilder } from './open-builder.ts';
