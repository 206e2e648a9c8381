import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { Database } from '../../cache/metadata/index.ts';
import type { KeyedVertex, KeyPart, Miss } from '../../solver/index.ts';
import { hidingOf } from './key-parts.ts';
import { MIGRATIONS, RecordedKeys, withinTenant } from './recorded-keys.ts';
import { HistoryStore } from './store.ts';

const MANY = 64 << 20;

let folder: string;
let db: Database;
let history: HistoryStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-recorded-keys-'));
  db = new Database(join(folder, 'db'));
  const leases = { open: () => ({}) as never, release: () => {} };
  const limits = { maxEntries: 50, maxAgeMs: 3_600_000, maxLogSize: 1 << 20 };
  history = new HistoryStore({ db, leases, limits, mostLogBytes: 1 << 20 });
});
afterEach(async () => {
  await db.close();
  rmSync(folder, { recursive: true });
});

function all<T>(steps: Iterator<unknown, T, void>): T {
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

const record = (ref: string) => history.start('a', ref, {})!;
const rows = (table: string) => db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)!.n;

/** A step whose key was made of these. */
function step(name: string, parts: readonly KeyPart[], digest = digestOf(JSON.stringify(parts))): KeyedVertex {
  const output = {
    output: 0,
    outcome: { kind: 'run' },
    miss: { kind: 'new' },
    keys: ['key'],
    ground: [['below']],
  } as const;
  return {
    ...{ digest: digestOf(name), name, inputs: [{ vertex: digestOf('base'), output: 0, selector: 's' }] },
    ...{ maps: [{ digest, inputs: [], parts: () => parts }], outputs: [output] },
  };
}

const env = (value: string): KeyPart => ({ kind: 'env', name: 'TOKEN', value });
const op: KeyPart = { kind: 'op', name: '', value: 'exec' };

test('what goes into keys is given back, and is there once for all builds; long values come as digests', () => {
  const keys = new RecordedKeys(db, MANY);
  const [first, second] = [record('first'), record('second')];
  const long = env('x'.repeat(10_000));
  const steps = [step('one', [op, env('short')]), step('two', [op, long])];
  all(keys.write(first, steps, undefined));
  all(keys.write(second, steps, undefined));
  expect(rows('key_parts')).toBe(2);
  for (const id of [first, second]) {
    expect(all(keys.read(id))).toMatchObject([
      { ...steps[0], maps: [{ digest: steps[0]!.maps[0]!.digest, parts: [op, env('short')] }] },
      { name: 'two', maps: [{ parts: [op, { kind: 'env', name: 'TOKEN', digest: digestOf(long.value) }] }] },
    ]);
  }
});

test('what was forgotten of keys that are known is made again', () => {
  const keys = new RecordedKeys(db, MANY);
  const steps = [step('one', [op, env('short')])];
  for (const ref of ['first', 'second']) {
    const id = record(ref);
    all(keys.write(id, steps, undefined));
    expect(all(keys.read(id))[0]!.maps[0]!.parts).toEqual([op, env('short')]);
    history.remove(id);
    all(keys.remove(id));
    expect(rows('key_parts')).toBe(0);
  }
});

test('keys of ever so many parts are bounded, and still differ where they do', () => {
  const keys = new RecordedKeys(db, MANY);
  const many = (last: string) => Array.from({ length: 20_000 }, (_, n) => env(n === 19_999 ? last : 'v'.repeat(100)));
  const partsOf = (last: string) => {
    const id = record(last);
    all(keys.write(id, [step('many', many(last))], undefined));
    return all(keys.read(id))[0]!.maps[0]!.parts!;
  };
  const [one, other] = [partsOf('one'), partsOf('other')];
  expect(JSON.stringify(one).length).toBeLessThan(200_000);
  expect(one).not.toEqual(other);
  expect(one.slice(0, -1)).toEqual(other.slice(0, -1));
});

const hiding = hidingOf(Object.entries({ 'build-arg:TOKEN': 'hunter2', 'build-arg:SHORT': 'a/b', target: 'team' }));

test('of what may be secret no value is kept but its digest, whoever else has the same key; names are', () => {
  const keys = new RecordedKeys(db, MANY);
  const platform: KeyPart = { kind: 'platform', name: 'OS', value: 'linux' };
  const filledIn: KeyPart = { kind: 'mount', name: '/run/hunter2', value: '{}' };
  const name = '[build 2/3] RUN login hunter2';
  const steps = [step(name, [op, env('hunter2'), filledIn, platform])];
  const [theirs, own] = [record('theirs'), record('own')];
  all(keys.write(theirs, steps, hiding));
  for (const table of ['key_parts', 'recorded_vertices'])
    expect(JSON.stringify(db.all(`SELECT * FROM ${table}`))).not.toContain('hunter2');
  expect(all(keys.read(theirs))[0]!.name).toBe(`[2/3] RUN ${digestOf(name)}`);
  all(keys.write(own, steps, undefined));
  expect(all(keys.read(theirs))[0]!.maps[0]!.parts).toEqual([
    op,
    { kind: 'env', name: 'TOKEN', digest: digestOf('hunter2') },
    { kind: 'mount', name: digestOf('/run/hunter2'), digest: digestOf('{}') },
    platform,
  ]);
  expect(all(keys.read(own))[0]!.maps[0]!.parts).toEqual([op, env('hunter2'), filledIn, platform]);
});

test('a key that builds with other arguments have in common is told to each without its own', () => {
  const keys = new RecordedKeys(db, MANY);
  const mount: KeyPart = { kind: 'mount', name: '/run/hunter2', value: '{}' };
  const [one, other] = [record('one'), record('other')];
  all(keys.write(one, [step('RUN', [mount])], hidingOf([['build-arg:X', 'hunter3']])));
  all(keys.write(other, [step('RUN', [mount])], hiding));
  const nameIn = (id: number) => all(keys.read(id))[0]!.maps[0]!.parts![0]!.name;
  expect([one, other].map(nameIn)).toEqual(['/run/hunter2', digestOf('/run/hunter2')]);
  // With more arguments than are looked for no name is told.
  const many = Array.from({ length: 1000 }, (_, n) => [`build-arg:${n}`, `value ${n}`] as const);
  const third = record('third');
  all(keys.write(third, [step('RUN', [mount])], hidingOf(many)));
  expect(nameIn(third)).toBe(digestOf('/run/hunter2'));
});

test('two that have one key under two names are each told their own, and of parts that are alike there is one', () => {
  const keys = new RecordedKeys(db, MANY);
  const image = digestOf('image');
  const named = (name: string): KeyPart[] => [{ kind: 'base', name, value: image }, op];
  const from = (name: string, source: string) => ({ ...step(name, named(source), image), inputs: [] });
  const ids = [history.start('a', 'one', {})!, history.start('b', 'one', {})!, history.start('b', 'two', {})!];
  const names = ['registry.acme.example/secret-project:1', 'docker.io/library/alpine:3', 'docker.io/library/alpine:3'];
  for (const [at, id] of ids.entries()) all(keys.write(id, [from('FROM', names[at]!)], undefined));
  for (const [at, id] of ids.entries())
    expect(all(keys.read(id))[0]!.maps).toEqual([{ digest: image, parts: named(names[at]!) }]);
  expect(rows('key_parts')).toBe(2);
  // Within one build, too.
  const both = record('both');
  all(keys.write(both, [from('FROM', 'x'), from('FROM too', 'y')], undefined));
  expect(all(keys.read(both)).map(({ maps }) => maps[0]!.parts![0]!.name)).toEqual(['x', 'y']);
  // The parts of one go with it, and the other's stay.
  history.remove(ids[0]!);
  all(keys.remove(ids[0]!));
  expect(JSON.stringify(db.all('SELECT * FROM key_parts'))).not.toContain('acme');
  expect(all(keys.read(ids[1]!))[0]!.maps[0]!.parts).toEqual(named(names[1]!));
});

test('of a hidden build names of steps are not kept, in which values are filled in; what an image or a commit was is', () => {
  const keys = new RecordedKeys(db, MANY);
  const reference = 'registry.acme.example/team/app:1';
  const [image, commit] = [digestOf('image'), 'c'.repeat(40)];
  const parts: KeyPart[] = [
    { kind: 'base', name: reference, value: image },
    { kind: 'source', name: `https://${reference}`, value: commit },
    { kind: 'source', name: 'elsewhere', value: 'token' },
    { kind: 'option', name: 'Filename', value: image },
  ];
  const names = [
    '[context acme] load metadata',
    '[acme 2/3] COPY acme',
    '[acme] RUN x',
    '[1/1] acme',
    '[1/1] ACME x',
    '[linux/amd64 internal] load metadata for acme',
    'acme',
  ];
  const cache = 'registry hunter2';
  const steps = names.map((name) => step(name, parts));
  const found = { output: 0, outcome: { kind: 'found', cache }, keys: ['key'], ground: [] } as const;
  const unreadable = { ...found, outcome: { kind: 'run' }, miss: { kind: 'unreadable', cache: 'own' } } as const;
  const cached = { ...step('[internal] load build context', [op]), outputs: [found, unreadable] };
  const id = record('hidden');
  all(keys.write(id, [...steps, cached], hiding));
  expect(JSON.stringify(db.all('SELECT * FROM recorded_vertices'))).not.toMatch(/acme|hunter/i);
  const read = all(keys.read(id));
  const places = ['', '[2/3] COPY ', '', '[1/1] ', '[1/1] ', '[internal] ', ''];
  expect(read.slice(0, -1).map(({ name }) => name)).toEqual(names.map((name, at) => `${places[at]}${digestOf(name)}`));
  expect(read[0]!.maps[0]!.parts!).toEqual([
    ...parts.slice(0, 2),
    { kind: 'source', name: 'elsewhere', digest: digestOf('token') },
    { kind: 'option', name: 'Filename', digest: digestOf(image) },
  ]);
  expect(read.at(-1)!).toMatchObject({
    name: '[internal] load build context',
    outputs: [{ outcome: { cache: digestOf(cache) } }, { miss: { cache: 'own' } }],
  });
});

test('what an earlier version shared by keys is forgotten, and its records get no names of others', async () => {
  await db.close();
  db = new Database(join(folder, 'old'));
  db.migrate('recorded keys', MIGRATIONS.slice(0, 1));
  const maps = [{ digest: digestOf('image') }];
  const vertices = JSON.stringify([{ ...step('FROM', []), maps }]);
  db.run('INSERT INTO recorded_keys VALUES (1, 0, 10)');
  db.run('INSERT INTO recorded_vertices (record, vertices) VALUES (1, ?)', vertices);
  db.run('INSERT INTO key_parts (digest, hidden, parts) VALUES (?, 0, ?)', digestOf('image'), '[{"name":"acme"}]');
  db.run('INSERT INTO key_part_uses VALUES (1, 1)');
  const keys = new RecordedKeys(db, MANY);
  expect(all(keys.read(1))).toEqual([]);
  for (const table of ['recorded_keys', 'recorded_vertices', 'key_parts', 'key_part_uses']) expect(rows(table)).toBe(0);
});

test('records whose names an earlier version kept as digests are forgotten, and no others', async () => {
  await db.close();
  db = new Database(join(folder, 'old'));
  db.migrate('recorded keys', MIGRATIONS.slice(0, 2));
  for (const [id, name] of [digestOf('TOKEN'), 'TOKEN'].entries()) {
    const vertices = JSON.stringify([{ ...step('RUN', []), maps: [{ digest: digestOf('x'), told: digestOf(name) }] }]);
    db.run('INSERT INTO recorded_keys VALUES (?, 10)', id);
    db.run('INSERT INTO recorded_vertices (record, vertices) VALUES (?, ?)', id, vertices);
    db.run('INSERT INTO key_parts VALUES (?, ?, ?)', id, digestOf(name), JSON.stringify([{ kind: 'env', name }]));
    db.run('INSERT INTO key_part_uses VALUES (?, ?)', id, id);
  }
  const keys = new RecordedKeys(db, MANY);
  expect(all(keys.read(0))).toEqual([]);
  expect(all(keys.read(1))).toMatchObject([{ maps: [{ parts: [{ name: 'TOKEN' }] }] }]);
  for (const table of ['recorded_keys', 'recorded_vertices', 'key_parts', 'key_part_uses']) expect(rows(table)).toBe(1);
});

test('that another has a result is told within one tenant, and of what an earlier version wrote not at all', () => {
  const keys = new RecordedKeys(db, MANY);
  const missing = (scopes: readonly string[] | undefined): KeyedVertex => {
    const one = step('one', [op]);
    const miss = { kind: 'outOfScope', ...(scopes === undefined ? {} : { scopes }) } as Miss;
    return { ...one, outputs: one.outputs.map((output) => ({ ...output, miss })) };
  };
  const missOf = (vertex: KeyedVertex) => vertex.outputs[0]!.miss;
  expect(missOf(withinTenant(missing(['team/web']), 'team'))).toEqual({ kind: 'outOfScope', scopes: [] });
  expect(missOf(withinTenant(missing(['team', 'x/web']), 'team/api'))).toEqual({ kind: 'outOfScope', scopes: [] });
  expect(missOf(withinTenant(missing(['teams/web', 'tea']), 'team'))).toEqual({ kind: 'new' });
  expect(missOf(withinTenant(missing(['team']), '.direct'))).toEqual({ kind: 'new' });
  const [old, now] = [record('old'), record('now')];
  all(keys.write(old, [missing(undefined)], undefined));
  all(keys.write(now, [missing([])], undefined));
  expect([old, now].map((id) => all(keys.read(id))[0]!.outputs[0]!.miss?.kind)).toEqual(['new', 'outOfScope']);
});

test('they go with their record, parts with the last that has them; what a killed builder left goes too', () => {
  const keys = new RecordedKeys(db, MANY);
  const steps = Array.from({ length: 100 }, (_, n) => step(`${n}`, [op, env(`${n}`)]));
  const [first, second] = [record('first'), record('second')];
  all(keys.write(first, steps, undefined));
  all(keys.write(second, steps.slice(0, 10), undefined));
  history.remove(first);
  all(keys.remove(first));
  expect(all(keys.read(first))).toEqual([]);
  expect(all(keys.read(second))).toHaveLength(10);
  expect(rows('key_parts')).toBe(10);
  history.remove(second);
  all(keys.sweep());
  for (const table of ['recorded_keys', 'recorded_vertices', 'key_parts', 'key_part_uses']) expect(rows(table)).toBe(0);
  // A record that is gone before its keys are written gets none.
  all(keys.write(second, steps, undefined));
  expect(rows('recorded_vertices')).toBe(0);
});

test('all together are bounded: those of the oldest records go', () => {
  const keys = new RecordedKeys(db, 100_000);
  const ids = Array.from({ length: 30 }, (_, n) => {
    const id = record(`${n}`);
    all(
      keys.write(id, [step('one', [env(`${n} ${'x'.repeat(4000)}`), { ...op, value: 'y'.repeat(4000) }])], undefined),
    );
    return id;
  });
  const told = ids.map((id) => all(keys.read(id)).length);
  expect(told.indexOf(1)).toBeGreaterThan(15);
  expect(told.slice(told.indexOf(1))).toEqual(told.slice(told.indexOf(1)).fill(1));
  expect(rows('key_parts')).toBe(told.filter((n) => n === 1).length);
});

test('those of one build are bounded, however many steps it has, and each portion of them is short work', () => {
  const keys = new RecordedKeys(db, MANY);
  const id = record('large');
  const steps = Array.from({ length: 20_000 }, (_, n) =>
    step(`step ${n} ${'x'.repeat(800)}`, [op, env(`${n}`), { ...op, value: 'x'.repeat(200) }]),
  );
  let portions = 0;
  for (const writing = keys.write(id, steps, undefined); writing.next().done !== true; ) portions++;
  expect(db.get<{ bytes: number }>('SELECT bytes FROM recorded_keys')!.bytes).toBeLessThan(13 << 20);
  const read = all(keys.read(id));
  expect(read.length).toBeGreaterThan(5000);
  expect(portions).toBeGreaterThanOrEqual(read.length);
  let removals = 0;
  for (const removing = keys.remove(id); removing.next().done !== true; ) removals++;
  expect(removals).toBeGreaterThan(read.length / 50);
  expect(rows('key_parts')).toBe(0);
});

test('caches that could not be read are told as long as the record is there, without values of arguments', () => {
  const keys = new RecordedKeys(db, MANY);
  const [own, theirs, gone] = [record('own'), record('theirs'), record('gone')];
  const unread = [
    { cache: 'registry.test/cache:main', why: 'not found' },
    { cache: 'registry.test/hunter2', why: 'not found' },
  ];
  keys.writeUnread(own, unread, undefined);
  keys.writeUnread(theirs, unread, hiding);
  expect(keys.unread(own)).toEqual(unread);
  expect(keys.unread(theirs)).toEqual([unread[0], { cache: '', why: '' }]);
  history.remove(gone);
  keys.writeUnread(gone, unread, undefined);
  for (const id of [own, theirs]) {
    history.remove(id);
    all(keys.remove(id));
  }
  expect(keys.unread(own)).toEqual([]);
  expect(rows('unread_caches')).toBe(0);
});
