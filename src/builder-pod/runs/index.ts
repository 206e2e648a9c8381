/** Solves that belong to no connection: `slipway.builder.v1`. */

export { registerExplainer } from './explain-service.ts';
export { type Draining, drainingError, Runs, type RunsOptions } from './runs.ts';
export { registerBuilder } from './service.ts';
export { RunStore } from './store.ts';
export { tagWriter } from './tags.ts';
