export { type Builder, type BuilderOptions, openBuilder } from './open-builder.ts';
