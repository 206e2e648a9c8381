export { DEFAULT_OUTFLOW, type OutflowBounds } from '../exporters/index.ts';
export { type Builder, openBuilder } from './open-builder.ts';
