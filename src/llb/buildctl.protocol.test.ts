import { execFileSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../base/index.ts';
import { decodeOp, encodeDefinition, FileActions, image, local, merge } from './index.ts';

const cache =
  process.env['SLIPWAY_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'slipway');
const buildctl = join(cache, 'tools/buildctl');

test('buildctl reads our definitions, with the same digests', () => {
  const base = image('busybox').run({ args: ['true'], mounts: [{ target: '/c', cache: { id: 'c' } }] }).root;
  const graph = merge([
    base.file(new FileActions().copy(local('ctx'), '/a', '/b', { timestamp: 5n })),
    image('alpine'),
  ]);
  const definition = graph.marshal();
  const out = execFileSync(buildctl, ['debug', 'dump-llb'], { input: encodeDefinition(definition) }).toString();
  const dumped = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { Digest: string; OpMetadata: object });
  expect(dumped.map(({ Digest }) => Digest)).toEqual(definition.ops.map(digestOf));
  expect(decodeOp(definition.ops.at(-1)!).body.kind).toBe('pointer');
});
