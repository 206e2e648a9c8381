/** Solves that belong to no connection: `slipway.builder.v1`. */
export { Runs, type RunsOptions } from './runs.ts';
export { registerBuilder } from './service.ts';
export { RunStore } from './store.ts';
export { tagWriter } from './tags.ts';
