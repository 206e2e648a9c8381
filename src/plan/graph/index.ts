export { compileGraph } from './compile.ts';
export { GraphContexts } from './context.ts';
export { checkedDefinition } from './summary.ts';
