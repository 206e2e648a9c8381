export { argumentsFor, compileGraph } from './compile.ts';
export { GraphContexts } from './context.ts';
export { imageConfig } from './image.ts';
export { artifactDefinition } from './reference.ts';
export { checkedDefinition } from './summary.ts';
