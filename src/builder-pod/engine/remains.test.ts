import { expect, test } from 'vitest';
import { CodedError, type Digest, digestOf } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { decodeOp, type Op, type VertexOp } from '../../llb/index.ts';
import type { Result, Vertex } from '../../solver/index.ts';
import { FailedSteps } from './remains.ts';

const EXEC: Op = decodeOp(Buffer.from('12060a040a027461', 'hex'));

/** Results whose handles are counted. */
function counted() {
  let open = 0;
  const result = (id: string): Result<ImmutableRef> => {
    open++;
    const one = { id, value: { id } as ImmutableRef, clone: () => result(id), release: async () => void open-- };
    return one;
  };
  return { result, open: () => open };
}

function vertexOf(name: string, op = EXEC): Vertex<VertexOp> {
  const metadata = { ignoreCache: false, description: { name }, caps: {} };
  return {
    digest: digestOf(name),
    name,
    inputs: [],
    op: { op, metadata, locations: [], outputs: 1 },
    ignoreCache: false,
  };
}

const failureOf = (digest: Digest) =>
  new CodedError('unknown', 'failed', { details: [{ type: 'errdefs.Vertex', value: { digest } }] });
const toldOf = (steps: FailedSteps, name: string) =>
  steps.tell(failureOf(digestOf(name))).details.find(({ type }) => type === 'errdefs.Solve')?.value as
    | { readonly inputIDs: readonly string[]; readonly mountIDs: readonly string[]; readonly op: object }
    | undefined;

test('an id leads to what the step left while its build lives; whatever failed before makes room', () => {
  const { result, open } = counted();
  const steps = new FailedSteps();
  const lent = [result('in'), result('out')] as const;
  const fail = (name: string) =>
    steps.keep(vertexOf(name), { inputs: [lent[0], undefined], mounts: [lent[1], undefined] });
  fail('first');
  fail('first');
  const { inputIDs, mountIDs, op } = toldOf(steps, 'first')!;
  expect([inputIDs, mountIDs].map(([id = '', none]) => [steps.find(id)?.id, none])).toEqual([
    ['in', ''],
    ['out', ''],
  ]);
  expect(op).toEqual({ exec: { meta: { args: ['ta'] } } });
  expect(open()).toBe(4);
  for (let n = 0; n < 100; n++) fail(`other ${n}`);
  expect(toldOf(steps, 'first')).toBeUndefined();
  expect(steps.find(mountIDs[0]!)).toBeUndefined();
  expect(toldOf(steps, 'other 99')).toBeDefined();
  expect(open()).toBe(2 + 2 * 16);
  steps.close();
  fail('late');
  expect(open()).toBe(2);
});

test('what failed of nothing that is kept is told as it is', () => {
  const error = failureOf(digestOf('unknown'));
  expect(new FailedSteps().tell(error)).toBe(error);
});

test.each([
  ['files in the graph', 1 << 20, 0],
  ['very many actions', 0, 50_000],
])('of a large op is told what it left, not the op: %s', (_, bytes, actions) => {
  const file = (size: number) => ({
    ...{ input: -1, secondaryInput: -1, output: 0 },
    body: {
      kind: 'mkfile' as const,
      mkfile: { path: '/a', data: Buffer.alloc(size), mode: 0o644, timestamp: -1n },
    },
  });
  const opOf = (size: number, count: number) =>
    ({
      inputs: [],
      body: { kind: 'file', file: { actions: [file(size), ...Array.from({ length: count }, () => file(0))] } },
    }) as unknown as Op;
  const { result } = counted();
  const steps = new FailedSteps();
  const remains = { inputs: [result('in')], mounts: [], subject: { kind: 'action' as const, index: 1 } };
  steps.keep(vertexOf('small', opOf(100 << 10, 100)), remains);
  expect(toldOf(steps, 'small')).toMatchObject({ op: { file: { actions: expect.any(Array) } } });
  steps.keep(vertexOf('large', opOf(bytes, actions)), remains);
  const told = toldOf(steps, 'large')!;
  expect(told).toEqual({ inputIDs: told.inputIDs, mountIDs: [], file: { index: '1' }, description: { name: 'large' } });
  expect(steps.find(told.inputIDs[0]!)?.id).toBe('in');
});
