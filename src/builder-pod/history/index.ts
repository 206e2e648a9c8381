/** The history of builds: records and logs that outlive the daemon. */

export { Explainer } from './explainer.ts';
export { parseHistoryFilters } from './filter.ts';
export { type HistoryEvent, Recorder } from './recorder.ts';
export { DEFAULT_HISTORY, type HistoryLimits } from './store.ts';
