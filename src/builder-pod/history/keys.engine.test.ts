import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digestOf, neverAborted } from '../../base/index.ts';
import { FileActions, http, type State as Llb, scratch } from '../../llb/index.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import type { SolveRequest } from '../engine/index.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import type { RecordedVertex } from './recorded-keys.ts';

/** Which keys builds had, and what of, is there after a restart. */
const cleanup = new AsyncDisposableStack();
const signal = neverAborted;
let folder: string;
let base: Llb;
/** The same file by whatever path. */
let served: (path: string) => string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-recorded-keys-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const rootfs = join(folder, 'rootfs');
  mkdirSync(rootfs);
  makeBusyboxRoot(rootfs);
  const tar = execFileSync('tar', ['-C', rootfs, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
  const server = createServer((_req, res) => res.end(tar));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  served = (path) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`;
  const archive = http(served('base.tar'));
  base = scratch().file(new FileActions().copy(archive, '/base.tar', '/', { attemptUnpack: true }));
});
afterAll(() => cleanup.disposeAsync());

async function open(root: string): Promise<Builder> {
  return await openTestBuilder(join(folder, root), cleanup);
}

async function solve({ engine }: Builder, ref: string, target: Llb, more: Partial<SolveRequest> = {}): Promise<void> {
  const request = { ref, session: '', frontendAttrs: new Map(), frontendInputs: new Map(), ...more };
  const scope = { write: 'a', read: ['a'] };
  await engine.solve({ scope, definition: target.marshal(), exporters: [], entitlements: [], ...request }, { signal });
}

/** What a record tells of the step that compiles. */
async function compiling({ history }: Builder, ref: string, scope = 'a'): Promise<RecordedVertex> {
  const vertices = await history.keys(scope, ref, { signal });
  return vertices!.find(({ name }) => name.includes('compile') || name.includes(digestOf(COMPILE)))!;
}

const COMPILE = 'sh -c true compile > /x';

const program = (token: string) =>
  base
    .env('MODE', 'fast')
    .env('TOKEN', token)
    .run({ args: ['sh', '-c', 'true compile > /x'] })
    .root.run({ args: ['sh', '-c', 'cat /x'] }).root;

const outcomes = ({ outputs }: RecordedVertex) => outputs.map(({ outcome, miss }) => miss?.kind ?? outcome.kind);

test('of a step that missed because one variable changed both keys are there, and differ in just that', async () => {
  {
    await using builder = await open('restart');
    await solve(builder, 'one', program('first'));
    await solve(builder, 'same', program('first'));
    await solve(builder, 'other', program('second'));
  }
  await using builder = await open('restart');
  const [one, same, other] = [
    await compiling(builder, 'one'),
    await compiling(builder, 'same'),
    await compiling(builder, 'other'),
  ];
  expect([one, same, other].map(outcomes)).toEqual([['new'], ['idle'], ['new']]);
  expect(same.maps).toEqual(one.maps);
  expect(other.maps[0]!.digest).not.toBe(one.maps[0]!.digest);
  const texts = (vertex: RecordedVertex) => vertex.maps[0]!.parts!.map((part) => JSON.stringify(part));
  expect(texts(other).filter((part) => !texts(one).includes(part))).toEqual([
    JSON.stringify({ kind: 'env', name: 'TOKEN', value: 'second' }),
  ]);
  expect(texts(one).filter((part) => !texts(other).includes(part))).toEqual([
    JSON.stringify({ kind: 'env', name: 'TOKEN', value: 'first' }),
  ]);
  // What both ran on is the same, and the step of the second build was found by its key.
  expect(one.inputs).toEqual(other.inputs);
  expect(one.outputs[0]!.ground[0]).not.toEqual([]);
  expect(one.outputs[0]!.ground).toEqual(other.outputs[0]!.ground);
  expect(one.outputs[0]!.keys).not.toEqual([]);
  // Where content decides it is told, and where it came from.
  const all = (await builder.history.keys('a', 'one', { signal }))!;
  const [source] = all;
  expect(source!.maps[0]!.parts).toContainEqual(
    expect.objectContaining({ kind: 'source', name: expect.stringContaining('/base.tar') }),
  );
  expect(all.find(({ inputs }) => inputs[0]?.vertex === source!.digest)!.inputs[0]!.content).toMatch(/^sha256:/);
  expect((await builder.history.keys('a', 'same', { signal }))!.flatMap(outcomes)).toContain('found');
  // They are of that scope alone, and go with their record.
  expect(await builder.history.keys('b', 'one', { signal })).toBe(undefined);
  builder.history.delete('a', 'one');
  expect(await builder.history.keys('a', 'one', { signal })).toBe(undefined);
  expect((await compiling(builder, 'same')).maps).toEqual(one.maps);
  const parts = () => builder.state.db.get<{ n: number }>('SELECT count(*) AS n FROM key_parts')!.n;
  for (const ref of ['same', 'other']) builder.history.delete('a', ref);
  await builder.history.settled();
  expect(parts()).toBe(0);
});

test('of an operator’s builds no value is kept, and none is told what others made', async () => {
  await using builder = await open('tenants');
  const scope = { write: 'b', read: ['b'] };
  await solve(builder, 'theirs', program('hunter2'), { scope, recorded: 'outline' });
  const { maps } = await compiling(builder, 'theirs', 'b');
  expect(maps[0]!.parts).toContainEqual({ kind: 'env', name: 'TOKEN', digest: digestOf('hunter2') });
  const { db } = builder.state;
  for (const table of ['recorded_vertices', 'key_parts'])
    expect(JSON.stringify(db.all(`SELECT * FROM ${table}`))).not.toMatch(/hunter2|true compile/);
  await solve(builder, 'guess', program('hunter2'));
  expect(outcomes(await compiling(builder, 'guess'))).toEqual(['new']);
});

/** Why the step that compiles ran. */
async function explained({ explainer }: Builder, ref: string, scope: string) {
  const missed = [];
  for await (const portion of explainer.explain(scope, ref, { signal })) missed.push(...(portion.missed ?? []));
  return missed.find(({ name }) => /compile|^(\[.*\] )?…$/.test(name ?? ''));
}

test('another scope of the same tenant is named as the reason, another tenant’s never', async () => {
  await using builder = await open('scopes');
  const within = (write: string) => ({ scope: { write, read: [write] } });
  await solve(builder, 'one', program('same'), within('team/web'));
  await solve(builder, 'two', program('same'), within('team/api'));
  await solve(builder, 'three', program('same'), within('teams'));
  await solve(builder, 'four', program('same'), within('te'));
  expect(await explained(builder, 'two', 'team/api')).toMatchObject({ cause: 'outOfScope' });
  for (const [ref, scope] of [
    ['one', 'team/web'],
    ['three', 'teams'],
    ['four', 'te'],
  ] as const)
    expect(await explained(builder, ref, scope)).toMatchObject({ cause: 'first' });
  await expect(explained(builder, 'one', 'teams')).rejects.toMatchObject({ code: 'not_found' });
});

test('of an operator’s builds it is told what changed by name, without values, and to their own scope alone', async () => {
  await using builder = await open('hidden');
  const hidden = (write: string) => ({ scope: { write, read: [write] }, recorded: 'outline' }) as const;
  await solve(builder, 'one', program('hunter2'), hidden('b'));
  await solve(builder, 'two', program('hunter3'), hidden('b'));
  const told = await explained(builder, 'two', 'b');
  expect(told).toMatchObject({ cause: 'part', text: 'the variable (build argument or ENV) TOKEN has changed' });
  expect(JSON.stringify(told)).not.toMatch(/hunter|compile/);
  await solve(builder, 'three', program('hunter4'), hidden('c'));
  const other = await explained(builder, 'three', 'c');
  expect(other).toMatchObject({ cause: 'first' });
  expect(JSON.stringify(other)).not.toContain('TOKEN');
  for (const ref of ['one', 'two'])
    await expect(explained(builder, ref, 'c')).rejects.toMatchObject({ code: 'not_found' });
});

test('a source that two have by different addresses is told to each by its own', async () => {
  await using builder = await open('addresses');
  const build = async (ref: string, path: string, scope: string) => {
    const own = { write: scope, read: [scope] };
    await solve(builder, ref, http(served(path)), { scope: own });
    const [source] = (await builder.history.keys(scope, ref, { signal }))!;
    const { digest, parts } = source!.maps[0]!;
    return { digest, names: parts!.flatMap(({ kind, name }) => (kind === 'source' ? [name] : [])) };
  };
  const theirs = await build('theirs', 'secret-project/base.tar', 'a');
  const own = await build('own', 'public/base.tar', 'b');
  const moved = await build('moved', 'elsewhere/base.tar', 'b');
  expect([own.digest, moved.digest]).toEqual([theirs.digest, theirs.digest]);
  expect(theirs.names).toEqual([served('secret-project/base.tar')]);
  expect(own.names).toEqual([served('public/base.tar')]);
  expect(moved.names).toEqual([served('elsewhere/base.tar')]);
});
