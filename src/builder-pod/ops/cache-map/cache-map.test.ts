import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../base/index.ts';
import { checksum } from '../../../cache/contenthash/task.ts';
import { loadDefinition } from '../../../llb/index.ts';
import type { TaskContext } from '../../../sys/index.ts';
import { makeFileKeys } from './file-task.ts';
import { execCacheMap, fileCacheMap, sourceParts } from './index.ts';
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

test('of any two keys that are not the same some part differs, and of no others', () => {
  const byParts = new Map<string, Set<Digest>>();
  const byDigest = new Map<Digest, Set<string>>();
  for (const [, state] of scenarios) {
    for (const vertex of loadDefinition(state.marshal({ platform, localUniqueId: 'u' }))!.vertices) {
      const map = vertexCacheMap(vertex);
      if (map === undefined) continue;
      const parts = JSON.stringify(map.parts());
      byParts.set(parts, (byParts.get(parts) ?? new Set()).add(map.digest));
      byDigest.set(map.digest, (byDigest.get(map.digest) ?? new Set()).add(parts));
    }
  }
  expect(byDigest.size).toBeGreaterThan(20);
  for (const same of [...byParts.values(), ...byDigest.values()]) expect(same.size).toBe(1);
});

test('one change of a step is one part that differs', () => {
  const [run] = loadDefinition(EXEC_SCENARIOS['run-mounts']!.marshal({ platform }))!.vertices.slice(-1);
  const { body } = run!.op.op;
  if (body.kind !== 'exec') throw new Error('not an exec');
  const { exec } = body;
  const { meta, mounts } = exec;
  const partsOf = (change: object, on = platform) => execCacheMap({ ...exec, ...change }, on, 3).parts();
  const before = partsOf({});
  const differing = (after: ReturnType<typeof partsOf>) => {
    const texts = new Set(before.map((part) => JSON.stringify(part)));
    return after.filter((part) => !texts.has(JSON.stringify(part)));
  };
  const [first, ...others] = mounts;
  expect(differing(partsOf({ meta: { ...meta, env: [...meta.env, 'A=b=c'] } }))).toEqual([
    { kind: 'env', name: 'A', value: 'b=c' },
  ]);
  expect(differing(partsOf({ meta: { ...meta, args: [...meta.args, '-x'] } }))).toEqual([
    { kind: 'arg', name: `${meta.args.length}`, value: '-x' },
  ]);
  expect(differing(partsOf({ meta: { ...meta, user: 'me' } }))).toEqual([
    { kind: 'option', name: 'user', value: 'me' },
  ]);
  expect(differing(partsOf({ network: 'none' }))).toEqual([{ kind: 'option', name: 'network', value: '2' }]);
  expect(differing(partsOf({ mounts: [{ ...first!, readonly: !first!.readonly }, ...others] }))).toMatchObject([
    { kind: 'mount', name: first!.dest },
  ]);
  expect(differing(partsOf({}, { os: 'linux', architecture: 'arm64' }))).toEqual([
    { kind: 'platform', name: 'Arch', value: 'arm64' },
  ]);
  const secret = { id: 'token', name: 'TOKEN', optional: false };
  expect(differing(partsOf({ secretEnv: [...exec.secretEnv, secret] }))).toMatchObject([
    { kind: 'option', name: 'secretenv', value: expect.stringContaining('"ID":"token"') },
  ]);
});

test('a source is told by what it was resolved to, and without credentials', () => {
  const image = { Digest: digestOf('x'), OS: 'linux', Arch: 'amd64' };
  const named = { kind: 'image', name: 'docker.io/library/alpine:3', digest: digestOf('x') } as const;
  expect(
    sourceParts('docker-image://alpine:3', { key: digestOf('k'), pin: digestOf('x'), resolved: named, made: image }),
  ).toEqual([
    { kind: 'base', name: named.name, value: digestOf('x') },
    { kind: 'op', name: '', value: 'buildkit.source.v0' },
    { kind: 'platform', name: 'OS', value: 'linux' },
    { kind: 'platform', name: 'Arch', value: 'amd64' },
  ]);
  const made = { Filename: 'f', Perm: 0o600, Checksum: digestOf('y'), Header: [{ Name: 'X', Value: 'pass' }] };
  const parts = sourceParts('https://me:pass@host/f?sig=pass#pass', { key: digestOf('k'), pin: digestOf('y'), made });
  expect(parts).toContainEqual({ kind: 'source', name: 'https://host/f', value: digestOf('y') });
  expect(parts).toContainEqual({ kind: 'option', name: 'Perm', value: '384' });
  expect(JSON.stringify(parts)).not.toContain('pass');
  expect(sourceParts('git://host/x.git#main:dir', { key: 'c0ffee:dir', pin: 'c0ffee' })).toMatchObject([
    { kind: 'source', name: 'git://host/x.git', value: 'c0ffee' },
    { kind: 'op' },
    { kind: 'option', name: 'key', value: 'c0ffee:dir' },
  ]);
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

test('keys that a worker makes are those of the op, and its parts tell as much in short', () => {
  const mkfile = { path: '/a', mode: 0o644, data: Buffer.alloc(100_000, 'x'), timestamp: -1n };
  const link = { oldPath: 'l'.repeat(10_000), newPath: '/l', timestamp: -1n };
  const file = {
    actions: [
      { input: 0, secondaryInput: -1, output: -1, body: { kind: 'mkfile' as const, mkfile } },
      { input: 1, secondaryInput: -1, output: 0, body: { kind: 'symlink' as const, symlink: link } },
    ],
  };
  const here = fileCacheMap(file, 1);
  const made = makeFileKeys({ file, inputCount: 1 });
  expect([made.digest, made.inputs]).toEqual([here.digest, here.inputs]);
  expect(made.parts).toEqual(
    here.parts().map((part) => (part.value === link.oldPath ? { ...part, value: digestOf(link.oldPath) } : part)),
  );
});
