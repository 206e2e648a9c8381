/** LLB, the build graph: its ops and their bytes, loading and validating graphs, and a typed way to make them. */
export { LLB_CAPS } from './caps.ts';
export * from './codec/index.ts';
export * from './graph/index.ts';
export { type LoadOptions, loadDefinition, loadDefinitionInSlices } from './load/load.ts';
export type { LlbEdge, LlbGraph, LlbVertex, VertexOp } from './load/vertex.ts';
export * from './op.ts';
export { type MarkedLines, markedLines, snippet } from './snippet.ts';
export { type SourcePlace, sourceDetails, type ToldPlace, toldPlaces } from './source-detail.ts';
export { buildSteps, digestMapping, sourceJson } from './text/build-steps.ts';
export { definitionToDot } from './text/dot.ts';
export { definitionFromJson, definitionToJson, type JsonDefinition, type JsonStep } from './text/json.ts';
export { definitionFromYaml, definitionToYaml } from './text/yaml.ts';
