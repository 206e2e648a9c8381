import { encodeDefinition, FileActions, merge, scratch } from '../src/llb/index.ts';

const CHAINS = 100;

/** A graph of some 100,000 small vertices: chains that are merged. As little as may be of each, so that it fits into one message. */
export function largeGraph(vertices = 99_900): Uint8Array {
  const chains = Array.from({ length: CHAINS }, (_, chain) => {
    let state = scratch();
    for (let at = 0; at < vertices / CHAINS - 1; at++)
      state = state.file(new FileActions().mkdir(`/${chain}-${at}`, 0o755));
    return state;
  });
  return encodeDefinition({ ops: merge(chains).marshal().ops, metadata: new Map() });
}
