import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { tool } from '../../test/tools.ts';
import { digestOf } from '../base/index.ts';
import { decodeOp, encodeDefinition, FileActions, image, local, merge } from './index.ts';

test('buildctl reads our definitions, with the same digests', () => {
  const base = image('busybox').run({ args: ['true'], mounts: [{ target: '/c', cache: { id: 'c' } }] }).root;
  const graph = merge([
    base.file(new FileActions().copy(local('ctx'), '/a', '/b', { timestamp: 5n })),
    image('alpine'),
  ]);
  const definition = graph.marshal();
  const out = execFileSync(tool('buildctl'), ['debug', 'dump-llb'], { input: encodeDefinition(definition) }).toString();
  const dumped = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { Digest: string; OpMetadata: object });
  expect(dumped.map(({ Digest }) => Digest)).toEqual(definition.ops.map(digestOf));
  expect(decodeOp(definition.ops.at(-1)!).body.kind).toBe('pointer');
});
