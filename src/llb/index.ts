/** LLB, the build graph: its ops and their bytes, loading and validating graphs, and a typed way to make them. */
export * from './codec/index.ts';
export * from './graph/index.ts';
export * from './op.ts';
