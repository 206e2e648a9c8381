import { expect, test } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../../base/index.ts';
import { loadDefinition, local, type State, type VertexOp } from '../../llb/index.ts';
import type { VertexOutput } from '../../solver/index.ts';
import { solverObserverSuite } from '../../solver/testing/observer-suite.ts';
import { execCacheMap } from '../ops/cache-map/index.ts';
import { cacheLog } from './cache-log.ts';

const platform = { os: 'linux', architecture: 'amd64' };

function recording() {
  const lines: (readonly [string, LogFields | undefined])[] = [];
  const note = (message: string, fields?: LogFields) => void lines.push([message, fields]);
  const log: Logger = { ...silentLogger, debug: note, warn: note };
  return { log, lines };
}

function step(state: State) {
  const { vertex } = loadDefinition(state.marshal({ platform, localUniqueId: 'u' }))!.root;
  const { body } = vertex.op.op;
  if (body.kind !== 'exec') throw new Error('no exec');
  const output: VertexOutput<typeof vertex.op> = { vertex, output: 0, scope: 'main', jobs: ['the build'] };
  return { output, map: { ...execCacheMap(body.exec, platform, 1), inputs: [{}] } };
}

for (const explain of [false, true])
  solverObserverSuite<VertexOp, undefined>(`the daemon's log${explain ? ', which explains' : ''}`, () => ({
    ...{ observer: cacheLog(recording().log, { explain }), job: 'job', value: undefined },
    vertex: step(local('ctx').run({ args: ['make'] }).root).output.vertex,
    ...{ end: async () => {}, [Symbol.asyncDispose]: async () => {} },
  }));

test('a miss is told with the inputs and the parts of the step that differ, and without what they say', () => {
  const { log, lines } = recording();
  const observer = cacheLog(log, { explain: true });
  const build = (token: string) => {
    const { output, map } = step(
      local('ctx')
        .env('TOKEN', token)
        .run({ args: ['make'], customName: 'RUN make' } as never).root,
    );
    observer.keyed!({ vertex: output.vertex, scope: 'main', map });
    observer.missed!({
      ...output,
      miss: { kind: 'differs', inputs: [{ input: 0, content: false }] },
      keyed: () => undefined,
    });
    return output.vertex;
  };
  const { digest, name } = build('first');
  build('second');
  const told = { build: 'the build', step: name, why: 'differs', inputs: [{ step: 'local://ctx', content: false }] };
  expect(lines).toMatchObject([
    ['cache miss', { ...told, vertex: digest }],
    ['cache miss', { ...told, changed: ['env TOKEN'] }],
  ]);
  expect(lines[0]![1]).not.toHaveProperty('changed');
  expect(JSON.stringify(lines)).not.toContain('second');
});

test('of a key that is another each time nothing is told to have changed', () => {
  const { log, lines } = recording();
  const observer = cacheLog(log, { explain: true });
  const { output } = step(local('ctx').run({ args: ['make'] }).root);
  for (const session of ['one', 'two']) {
    const parts = () => [{ kind: 'option', name: 'key', value: session } as const];
    observer.keyed!({ vertex: output.vertex, scope: 'main', map: { digest: `random:${session}`, inputs: [], parts } });
    observer.missed!({ ...output, miss: { kind: 'unkeyed' }, keyed: () => undefined });
  }
  expect(lines).toHaveLength(2);
  for (const [, fields] of lines) expect(fields).not.toHaveProperty('changed');
});

test('a hit is told with the cache that had it; a cache that fails is told once, debug or not', () => {
  for (const explain of [true, false]) {
    const { log, lines } = recording();
    const observer = cacheLog(log, { explain });
    const { output } = step(local('ctx').run({ args: ['make'] }).root);
    const found = { ...output, result: {} as never, keys: [] };
    for (const cache of [undefined, '', 'registry']) observer.resulted?.({ ...found, found: cache });
    for (let n = 0; n < 3; n++) observer.failed!({ cache: 'registry', error: new Error('reset') });
    const hits = [
      ['cache hit', { step: output.vertex.name }],
      ['cache hit', { step: output.vertex.name, cache: 'registry' }],
    ];
    expect(lines).toMatchObject([
      ...(explain ? hits : []),
      ['a cache could not be read', { cache: 'registry', err: { message: 'reset' } }],
    ]);
  }
});
