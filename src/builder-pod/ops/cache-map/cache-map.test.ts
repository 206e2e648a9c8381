import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../base/index.ts';
import { checksum } from '../../../cache/contenthash/task.ts';
import { loadDefinition } from '../../../llb/index.ts';
import type { TaskContext } from '../../../sys/index.ts';
import { execCacheMap } from './index.ts';
import { contextTree, vertexCacheMap } from './testing/context.ts';
import { EXEC_SCENARIOS, FILE_SCENARIOS } from './testing/scenarios.ts';

interface CacheRecord {
  readonly digest: Digest;
  /** By input slot: other ways to it. */
  readonly inputs?: readonly (readonly { readonly selector?: Digest; readonly link: number }[])[];
}
const vectors: { scenarios: Record<string, { records: CacheRecord[] }> } = JSON.parse(
  readFileSync(new URL('testdata/records.json', import.meta.url), 'utf8'),
);
const platform = { os: 'linux', architecture: 'amd64' };

const scenarios = Object.entries({ ...FILE_SCENARIOS, ...EXEC_SCENARIOS });
const tree = contextTree();

test.each(scenarios)('%s: keys are those of buildkitd', (name, state) => {
  const { records } = vectors.scenarios[name]!;
  const graph = loadDefinition(state.marshal({ platform, localUniqueId: 'u' }))!;
  const root = graph.root.vertex;
  const map = vertexCacheMap(root)!;
  const record = records.find(({ digest }) => digest === digestOf(`${map.digest}@${graph.root.index}`));
  expect(record, `no record for the op digest ${map.digest}`).toBeDefined();

  for (const [slot, { vertex }] of root.inputs.entries()) {
    const links = record?.inputs?.[slot] ?? [];
    const { selector, content } = map.inputs[slot]!;
    const below = vertexCacheMap(vertex);
    if (below) {
      // A step below: linked through the selector.
      const linked = links.find((link) => records[link.link]?.digest === digestOf(`${below.digest}@0`));
      expect(linked?.selector).toBe(selector);
    } else {
      // The local source: linked through its content alone.
      expect(content).toBeDefined();
      const { digest } = checksum({ tree, selectors: content! }, {} as TaskContext);
      expect(links.map((link) => records[link.link]?.digest)).toContain(digestOf(`${digest}@-1`));
    }
  }
});

test('what does not change the result is not part of the key', () => {
  const [run] = loadDefinition(EXEC_SCENARIOS['run-mounts']!.marshal({ platform }))!.vertices.slice(-1);
  const { body } = run!.op.op;
  if (body.kind !== 'exec') throw new Error('not an exec');
  const { exec } = body;
  const key = (change: object, mounts = exec.mounts) =>
    execCacheMap({ ...exec, mounts, meta: { ...exec.meta, ...change } }, platform, 3).digest;
  const proxy = { httpProxy: 'p', httpsProxy: '', ftpProxy: '', noProxy: '', allProxy: '' };
  expect(key({ proxyEnv: proxy })).toBe(key({}));
  expect(key({ extraHosts: [{ host: 'a', ip: '1' }] })).toBe(key({ extraHosts: [{ host: 'a', ip: '2' }] }));
  expect(key({ extraHosts: [{ host: 'a', ip: '1' }] })).not.toBe(key({}));
  const renamed = exec.mounts.map((mount) =>
    mount.cache?.id === 'other' ? { ...mount, cache: { ...mount.cache, id: 'name' } } : mount,
  );
  expect(key({}, renamed)).toBe(key({}));
  expect(key({ env: ['A=1'] })).not.toBe(key({}));
});

test('a content cache that cannot be is refused', () => {
  const [run] = loadDefinition(EXEC_SCENARIOS['run-rw-part']!.marshal({ platform }))!.vertices.slice(-1);
  const { body } = run!.op.op;
  if (body.kind !== 'exec') throw new Error('not an exec');
  const mounts = body.exec.mounts.map((mount) => ({ ...mount, output: 0, contentCache: 'on' as const }));
  expect(() => execCacheMap({ ...body.exec, mounts }, platform, 2)).toThrow('invalid content cache');
});
