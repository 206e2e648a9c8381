import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../base/index.ts';
import { ContentTreeBuilder, entryHash } from '../../../cache/contenthash/index.ts';
import { checksum } from '../../../cache/contenthash/task.ts';
import { type LlbVertex, loadDefinition } from '../../../llb/index.ts';
import type { TaskContext } from '../../../sys/index.ts';
import { diffCacheMap, execCacheMap, fileCacheMap, mergeCacheMap, type OpCacheMap } from './index.ts';
import { CONTEXT, EXEC_SCENARIOS, FILE_SCENARIOS } from './testing/scenarios.ts';

interface CacheRecord {
  readonly digest: Digest;
  /** By input slot: other ways to it. */
  readonly inputs?: readonly (readonly { readonly selector?: Digest; readonly link: number }[])[];
}
const vectors: { scenarios: Record<string, { records: CacheRecord[] }> } = JSON.parse(
  readFileSync(new URL('testdata/records.json', import.meta.url), 'utf8'),
);
const platform = { os: 'linux', architecture: 'amd64' };

/** The received tree of local source `ctx`. */
function contextTree(): Uint8Array {
  const builder = new ContentTreeBuilder();
  const header = { uid: 0, gid: 0, linkname: '', devMajor: 0, devMinor: 0, xattrs: new Map<string, Uint8Array>() };
  for (const [name, content] of Object.entries(CONTEXT)) {
    const [path, mode] = name.split('#') as [string, string?];
    const link = content.startsWith('->') ? content.slice(2) : undefined;
    const type = path.endsWith('/') ? 'dir' : link === undefined ? 'file' : 'symlink';
    const modes = { dir: 0o755, file: Number.parseInt(mode ?? '0644', 8), symlink: 0o777 };
    const hash = entryHash({ ...header, type, mode: modes[type], size: content.length, linkname: link ?? '' });
    if (type === 'file') hash.update(Buffer.from(content));
    builder.set(path, { type, digest: hash.digest(), ...(link === undefined ? {} : { linkname: link }) });
  }
  return builder.finish();
}

function cacheMapOf({ op, inputs }: LlbVertex): OpCacheMap | undefined {
  const { body } = op.op;
  if (body.kind === 'exec') return execCacheMap(body.exec, op.platform!, inputs.length);
  if (body.kind === 'file') return fileCacheMap(body.file, inputs.length);
  if (body.kind === 'merge') return mergeCacheMap(body.merge.inputs, inputs.length);
  if (body.kind === 'diff') return diffCacheMap(body.diff);
  return undefined;
}

const scenarios = Object.entries({ ...FILE_SCENARIOS, ...EXEC_SCENARIOS });
const tree = contextTree();

test.each(scenarios)('%s: keys are those of buildkitd', (name, state) => {
  const { records } = vectors.scenarios[name]!;
  const graph = loadDefinition(state.marshal({ platform, localUniqueId: 'u' }))!;
  const root = graph.root.vertex;
  const map = cacheMapOf(root)!;
  const record = records.find(({ digest }) => digest === digestOf(`${map.digest}@${graph.root.index}`));
  expect(record, `no record for the op digest ${map.digest}`).toBeDefined();

  for (const [slot, { vertex }] of root.inputs.entries()) {
    const links = record?.inputs?.[slot] ?? [];
    const { selector, content } = map.inputs[slot]!;
    const below = cacheMapOf(vertex);
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
