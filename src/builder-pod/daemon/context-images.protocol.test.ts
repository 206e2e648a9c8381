import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeTree } from '../../oci/layers/testing/trees.ts';
import { OURS, TestDaemon } from './testing/test-daemon.ts';

/** A directory of many files, kept as one, is to builds what a small one is. */
const folder = mkdtempSync(join(tmpdir(), 'slipway-context-images-'));
const context = join(folder, 'context');
let daemon: TestDaemon;

const started = () => new TestDaemon(folder, 'daemon', { ...OURS, args: [] }).ready();

beforeAll(async () => {
  for (const name of ['bin', 'many', 'packed']) mkdirSync(join(context, name), { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'bin/sh'));
  for (let n = 0; n < 600; n++) writeFileSync(join(context, 'many', `f${n}`), `${n} ${'x'.repeat(n)}`);
  writeFileSync(join(context, 'many/executable'), 'x');
  chmodSync(join(context, 'many/executable'), 0o4755);
  linkSync(join(context, 'many/f1'), join(context, 'many/of-f1'));
  symlinkSync('f2', join(context, 'many/to-f2'));
  writeFileSync(join(context, 'packed/inside'), 'inside');
  execFileSync('tar', ['-czf', 'archive.tgz', 'packed'], { cwd: context });
  writeFileSync(
    join(context, 'Dockerfile'),
    [
      'FROM scratch AS made',
      'COPY bin /bin',
      'COPY many /many',
      'ADD archive.tgz /unpacked/',
      'RUN --mount=type=bind,target=/context cat /context/many/f599 > /read && ls /context/many | wc -l > /count',
      'RUN --mount=type=bind,target=/context,rw echo mine > /context/many/f3 && cat /context/many/f3 > /written',
      'FROM scratch',
      'COPY --from=made /many /many',
      'COPY --from=made /unpacked /read /count /written /',
      '',
    ].join('\n'),
  );
  daemon = await started();
});
afterAll(async () => {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function build(name: string): Promise<{ readonly out: string; readonly text: string }> {
  const out = join(folder, name);
  const { code, text } = await daemon.run([
    ...['build', '--progress=plain', '--frontend=dockerfile.v0', '--output', `type=local,dest=${out}`],
    ...['--local', `context=${context}`, '--local', `dockerfile=${context}`],
  ]);
  if (code !== 0) throw new Error(text);
  return { out, text };
}

/** Snapshots that are an image. */
function images(): number {
  const snapshots = join(daemon.root, 'snapshots');
  return readdirSync(snapshots).filter((id) => existsSync(join(snapshots, id, 'image'))).length;
}

function many(root: string): Record<string, unknown> {
  const seen = describeTree(join(root, 'many'));
  return Object.fromEntries(
    Object.entries(seen).map(([path, entry]) => [path, { ...(entry as object), owner: undefined }]),
  );
}

test('all that a build does with its directory is done with one that is an image, over a change and a restart of the builder', async () => {
  const first = await build('first');
  expect(images()).toBe(1);
  expect(many(first.out)).toEqual(many(context));
  const at = (build: { readonly out: string }, name: string) => readFileSync(join(build.out, name), 'utf8').trim();
  expect(at(first, 'packed/inside')).toBe('inside');
  expect(at(first, 'read')).toBe(readFileSync(join(context, 'many/f599'), 'utf8'));
  expect(at(first, 'count')).toBe('603');
  expect(at(first, 'written')).toBe('mine');
  expect((await build('again')).text).toMatch(/\[made 2\/5\] COPY many \/many\n#\d+ CACHED/);

  await daemon.stop();
  daemon = await started();
  expect((await build('restarted')).text).toMatch(/\[made 2\/5\] COPY many \/many\n#\d+ CACHED/);
  writeFileSync(join(context, 'many/f599'), 'changed');
  rmSync(join(context, 'many/f7'));
  const changed = await build('changed');
  expect(changed.text).toMatch(/transferring context: [\d.]+k?B/i);
  expect(many(changed.out)).toEqual(many(context));
  expect(at(changed, 'read')).toBe('changed');
  // The change lies in a directory of its own on what came first.
  expect(images()).toBe(1);

  const usage = await daemon.run(['du', '--verbose']);
  expect(usage.text).toMatch(/local source for context/);
  expect((await daemon.run(['prune', '--all'])).code).toBe(0);
  await expect.poll(() => images()).toBe(0);
  expect(many((await build('anew')).out)).toEqual(many(context));
}, 120_000);

test('a builder that is killed while it receives one begins anew, and what is left of it goes', async () => {
  for (let n = 0; n < 3000; n++) writeFileSync(join(context, 'many', `more-${n}`), Buffer.alloc(5000, n));
  expect((await daemon.run(['prune', '--all'])).code).toBe(0);
  await expect.poll(images).toBe(0);
  const killed = build('killed').catch(() => {});
  await expect.poll(images, { interval: 5 }).toBe(1);
  await daemon.stop('SIGKILL');
  await killed;
  // By which it is known that the next one listens.
  rmSync(join(folder, 'daemon.sock'));
  daemon = await started();
  expect(many((await build('after')).out)).toEqual(many(context));
  expect((await daemon.run(['prune', '--all'])).code).toBe(0);
  await expect.poll(images).toBe(0);
}, 120_000);
