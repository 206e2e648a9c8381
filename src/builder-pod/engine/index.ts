export { Build, type BuildRequest, type BuildServices } from './build.ts';
export { BuildRef } from './build-ref.ts';
export { Engine, type EngineOptions, type SolveOutcome, type SolveRequest } from './engine.ts';
