import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId, neverAborted as signal } from '../../base/index.ts';
import { diff, encodeDefinition, FileActions, http, type State as Llb, merge, scratch } from '../../llb/index.ts';
import { bind, mountsBelow, unmount } from '../../sys/index.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import type { Build } from './build.ts';

/** A ref that is one directory is its own view: nothing that has it writes there, nor could a step. */
const cleanup = new AsyncDisposableStack();
let builder: Builder;
let base: Llb;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-views-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const rootfs = join(folder, 'rootfs');
  mkdirSync(rootfs);
  makeBusyboxRoot(rootfs);
  const tar = execFileSync('tar', ['-C', rootfs, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
  const server = createServer((_req, res) => res.end(tar));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => void server.close());
  const from = http(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base.tar`);
  base = scratch().file(new FileActions().copy(from, '/base.tar', '/', { attemptUnpack: true }));
  builder = await openTestBuilder(join(folder, 'root'), cleanup);
});
afterAll(() => cleanup.disposeAsync());

async function solve(target: Llb, image?: string): Promise<void> {
  const request = { ref: newId(), session: '', frontendAttrs: new Map(), frontendInputs: new Map(), entitlements: [] };
  const exporters = image === undefined ? [] : [{ type: 'image', attrs: { name: image } }];
  const scope = { write: 'default', read: ['default'] };
  await builder.engine.solve({ ...request, definition: target.marshal(), exporters, scope }, { signal });
}

/** A build whose frontend is the test. */
async function drive(work: (build: Build) => Promise<void>): Promise<void> {
  const ref = newId();
  const request = { ref, session: '', frontendAttrs: new Map(), frontendInputs: new Map(), entitlements: [] };
  const solving = builder.engine.solve(
    { ...request, exporters: [], scope: { write: 'default', read: ['default'] } },
    { signal },
  );
  solving.catch(() => {});
  const build = await builder.engine.build('default', ref, { signal, waitMs: 20_000 });
  await work(build);
  build.giveResult({ result: { metadata: new Map() } });
  await solving;
}

const sh = (script: string) => ({ args: ['sh', '-c', `${script}; : ${newId()}`] });

test('whoever reads a view finds it enough to read', async () => {
  await solve(base);
  const { snapshotter } = builder.state;
  const kept = snapshotter.list().filter(({ kind, parent }) => kind === 'committed' && parent === undefined);
  const directories = kept.map(({ name }) => snapshotter.upperDir(name));
  expect(directories.length).toBeGreaterThan(0);
  for (const directory of directories) bind(directory, directory, { readonly: true });
  try {
    const copied = base.file(
      new FileActions()
        .copy(base, '/bin', '/copied', { owner: 'builder' })
        .mkdir('/made', 0o755, { owner: 'builder:builder' })
        .mkfile('/made/file', 0o644, Buffer.from('x'))
        .rm('/etc/passwd'),
    );
    const given = { target: '/given', source: base, readonly: true };
    const ran = base.run({ ...sh('touch /touched; rm -r /etc; ls /given'), mounts: [given] }).root;
    const thrown = ran.run({ ...sh('touch /thrown/x'), mounts: [{ target: '/thrown', source: base, noOutput: true }] });
    const merged = merge([base, diff(base, copied), diff(base, thrown.root)]);
    await solve(merged, 'merged');
    await solve(scratch().file(new FileActions().copy(merged, '/touched', '/').copy(base, '/etc', '/e')), 'base');
    await solve(base, 'one');
    await drive(async (build) => {
      const bridge = build.bridge(new Map());
      const { ref } = await bridge.solve({ definition: encodeDefinition(base.marshal()) }, { signal });
      const { id } = ref!;
      expect((await bridge.readDir(id, '/', undefined, { signal })).map(({ path }) => path)).toContain('etc');
      expect((await bridge.statFile(id, '/etc/passwd', { signal })).size).toBeGreaterThan(0);
      expect((await bridge.readFile(id, '/etc/passwd', undefined, { signal })).length).toBeGreaterThan(0);
    });
  } finally {
    for (const directory of directories) unmount(directory);
  }
  expect(mountsBelow(builder.state.layout.root)).toEqual([]);
});

test('a step cannot write to it, whatever it tries', async () => {
  await solve(base);
  const { snapshotter } = builder.state;
  const directories = snapshotter
    .list()
    .filter(({ kind, parent }) => kind === 'committed' && parent === undefined)
    .map(({ name }) => snapshotter.upperDir(name));
  const list = () => directories.map((directory) => execFileSync('ls', ['-lRn', '--full-time', directory]).toString());
  const before = list();
  const tries = [
    'touch /given/x && exit 1',
    'mount -o remount,rw /given && exit 1',
    'mount --bind /given /given && exit 1',
    'for f in /given/etc/passwd /proc/self/root/given/etc/passwd /proc/1/cwd/given/etc/passwd; do echo x >> $f && exit 1; done',
    'chmod 777 /given/etc && exit 1',
    'ln /given/etc/passwd /given/etc/other && exit 1',
    'true',
  ];
  await solve(base.run({ ...sh(tries.join('; ')), mounts: [{ target: '/given', source: base, readonly: true }] }).root);
  expect(list()).toEqual(before);
});
