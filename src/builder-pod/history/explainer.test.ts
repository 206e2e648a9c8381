import type { VertexOp } from '../../llb/index.ts';
import { FileActions, loadDefinition, scratch } from '../../llb/index.ts';
import { solverObserverSuite } from '../../solver/testing/observer-suite.ts';
import type { ObservedBuild } from '../engine/index.ts';
import { Explainer } from './explainer.ts';

const { vertex } = loadDefinition(scratch().file(new FileActions().mkdir('/d', 0o755)).marshal())!.root;

solverObserverSuite<VertexOp, unknown>('what explains why steps ran', () => {
  const explainer = new Explainer({ history: {} as never, refs: {} as never, hasher: {} as never });
  const watch = explainer.observe({ build: { job: { id: 'job' } } } as unknown as ObservedBuild);
  const end = async () => watch.ended?.({ kind: 'failed', error: new Error('it failed') as never });
  return { observer: explainer.observer, vertex, job: 'job', value: 1, end, [Symbol.asyncDispose]: end };
});
