/** Solves that belong to no connection: `slipway.builder.v1`. */
export { Runs, type RunsOptions } from './runs.ts';
export { type BuilderIdentity, registerBuilder } from './service.ts';
export { RunStore, type RunStoreOptions } from './store.ts';
export { tagWriter } from './tags.ts';
