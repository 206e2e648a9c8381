export { Build, type BuildRequest, type BuildServices } from './build.ts';
export { Engine, type EngineOptions, type SolveOutcome, type SolveRequest } from './engine.ts';
export { type Builder, type BuilderOptions, openBuilder } from './open-builder.ts';
