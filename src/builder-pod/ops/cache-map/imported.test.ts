import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Digest, digestOf, neverAborted } from '../../../base/index.ts';
import { checksum } from '../../../cache/contenthash/task.ts';
import { type ManifestRecord, manifestKeys } from '../../../cache/testing/manifest-keys.ts';
import { walked } from '../../../cache/testing/walked.ts';
import { type LlbVertex, loadDefinition, type VertexOp } from '../../../llb/index.ts';
import { type CacheMap, type Op, type Result, recordDigest, Solver } from '../../../solver/index.ts';
import { MemoryKeyStore } from '../../../solver/testing/memory-key-store.ts';
import type { TaskContext } from '../../../sys/index.ts';
import { contextTree, vertexCacheMap } from './testing/context.ts';
import { FILE_SCENARIOS, SCAN_SCENARIOS } from './testing/scenarios.ts';

const vectors: { scenarios: Record<string, { records: ManifestRecord[] }> } = JSON.parse(
  readFileSync(new URL('testdata/records.json', import.meta.url), 'utf8'),
);
const platform = { os: 'linux', architecture: 'amd64' };
const tree = contextTree();

const result = (id: string): Result<string> => ({
  id,
  value: id,
  clone: () => result(id),
  release: async () => {},
});

/** A builder whose ops have real keys and make nothing but their names. */
function builder() {
  const keys = new MemoryKeyStore();
  const stored = new Set<string>();
  const ran: string[] = [];
  const opOf = (vertex: LlbVertex): Op<string> => ({
    cacheMap: async () => ({ map: cacheMapOf(vertex), done: true }),
    exec: async () => {
      ran.push(vertex.op.op.body.kind);
      return [result(`made ${ran.length}`)];
    },
  });
  const solver = new Solver<VertexOp, string>({
    resolver: { resolve: (vertex) => opOf(vertex as LlbVertex) },
    keys,
    results: {
      save: async ({ id }) => {
        stored.add(id);
        return id;
      },
      load: async (id) => result(id),
      exists: (id) => stored.has(id),
    },
  });
  return { solver, keys, ran };
}

/** The local source is known by its content alone; nothing has to be read of what is not run. */
function cacheMapOf(vertex: LlbVertex): CacheMap {
  const map = vertexCacheMap(vertex);
  if (map === undefined) return { digest: 'random:1', inputs: [] };
  return {
    digest: map.digest,
    inputs: map.inputs.map(({ selector, content }, i) => ({
      ...(selector === undefined ? {} : { selector }),
      ...(content === undefined
        ? {}
        : {
            contentDigest: async (): Promise<Digest> => {
              if (vertexCacheMap(vertex.inputs[i]!.vertex) !== undefined) throw new Error('a step was read');
              return checksum({ tree, selectors: content }, {} as TaskContext).digest!;
            },
          }),
    })),
  };
}

test.each(
  Object.entries({ ...FILE_SCENARIOS, ...SCAN_SCENARIOS }),
)('%s: what buildkitd exported is found as its manifest stands', async (name, state) => {
  const { records } = vectors.scenarios[name]!;
  const { root } = loadDefinition(state.marshal({ platform, localUniqueId: 'u' }))!;
  const { digest } = vertexCacheMap(root.vertex)!;
  const top = recordDigest(digest, root.index);
  const manifest = {
    id: name,
    keys: manifestKeys(records, (record) => record.digest === top),
    results: { load: async (record: string) => result(record), exists: () => true },
  };
  const { solver, keys, ran } = builder();
  const build = async (caches: readonly (typeof manifest)[]) => {
    await using job = solver.job({ id: 'job', sessions: () => [], scope: { write: 'main', read: [] }, caches });
    return await job.build(root, { signal: neverAborted });
  };
  const place = records.findIndex((record) => record.digest === top);
  const found = await build([manifest]);
  expect(found.result.id).toBe(`${place}.0`);
  // Only sources are read, to know their content.
  expect(ran.filter((kind) => kind !== 'source')).toEqual([]);
  // What was found is the builder's own now, under the digests that it came with.
  expect((await build([])).result.id).toBe(`${place}.0`);
  expect(ran.filter((kind) => kind !== 'source')).toEqual([]);
  const own = new Set(walked(keys, found.keys, ['main']).map((record) => record.digest));
  expect(own.has(top)).toBe(true);
  for (const each of own) expect(records.map((record) => record.digest)).toContain(each);
});

test('what differs by a byte is not found', async () => {
  const { records } = vectors.scenarios['chain']!;
  const state = FILE_SCENARIOS['mkfile']!;
  const { root } = loadDefinition(state.marshal({ platform, localUniqueId: 'u' }))!;
  const { solver, ran } = builder();
  const caches = [
    {
      id: 'chain',
      keys: manifestKeys(records, () => true),
      results: { load: async (record: string) => result(record), exists: () => true },
    },
  ];
  await using job = solver.job({ id: 'job', sessions: () => [], scope: { write: 'main', read: [] }, caches });
  await job.build(root, { signal: neverAborted });
  // The copy below is the same; the file that is written on it is not.
  expect(ran).toEqual(['source', 'file']);
  expect(records.map(({ digest }) => digest)).not.toContain(digestOf(`${vertexCacheMap(root.vertex)!.digest}@0`));
});
