import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodedError, digestOf, HOUSE, neverAborted, silentLogger } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import { Database } from '../../cache/metadata/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { encodeDefinition, FileActions, scratch } from '../../llb/index.ts';
import { progressMemory } from '../../solver/event-buffer.ts';
import type { KeyedOutput, Result } from '../../solver/index.ts';
import { Recording } from '../../solver/recording.ts';
import { WorkerPool } from '../../sys/index.ts';
import type { BuildWatch, BuiltProvenance, ObservedBuild } from '../engine/index.ts';
import type { ExportResult } from '../exporters/index.ts';
import { parseHistoryFilters } from './filter.ts';
import { Recorder } from './recorder.ts';
import type { HistoryLimits } from './store.ts';

const LIMITS: HistoryLimits = { maxEntries: 50, maxAgeMs: 3_600_000, maxLogSize: 1 << 20 };
const signal = neverAborted;

/** Blobs held, by lease. */
const held = new Map<string, Set<string>>();
const leases = {
  open: ({ id = '' }: { readonly id?: string }) => {
    const blobs = held.get(id) ?? new Set<string>();
    held.set(id, blobs);
    const release = () => void held.delete(id);
    return {
      id,
      addRef: () => {},
      addBlob: (digest: string) => void blobs.add(digest),
      release,
      [Symbol.dispose]() {},
    };
  },
  release: (id: string) => void held.delete(id),
};

let folder: string;
let db: Database;
/** An aborted task keeps no core for long. */
const pool = new WorkerPool({ name: 'test', threads: 1, abortGraceMs: 100 });
afterAll(() => pool.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-history-'));
  db = new Database(join(folder, 'db'));
  held.clear();
  results.clear();
});
afterEach(async () => {
  await db.close();
  rmSync(folder, { recursive: true });
});

const directory = () => join(folder, 'history');
/** Results whose layers are packed, each with one of its name. */
const results = new Map<string, Result<ImmutableRef>>();
const stores = {
  keys: {
    results: (key: string) =>
      [...results.keys()].filter((id) => id === key).map((resultId) => ({ resultId, createdAt: 0 })),
  },
  results: { load: async (id: string) => results.get(id) },
};
const packedResult = (id: string): Result<ImmutableRef> => {
  const layer = { descriptor: { mediaType: 'layer', digest: digestOf(id), size: 1 }, diffId: digestOf(id) };
  const value = { packed: () => [layer] } as unknown as ImmutableRef;
  return { id, value, clone: () => packedResult(id), release: async () => {} };
};
const options = (limits = LIMITS, now = () => Date.now(), workers = pool) => ({
  stateRoot: folder,
  mostLogBytes: 1 << 20,
  db,
  leases,
  pool: workers,
  bulk: workers,
  stores,
  directory: directory(),
  limits,
  clock: { now },
  log: silentLogger,
});
const open = (...given: Parameters<typeof options>) => new Recorder(options(...given));

const made: ExportResult = {
  response: {},
  descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digestOf('manifest'), size: 8 },
  kept: [digestOf('manifest'), digestOf('config')],
};

/** A build that tells one line, and goes on until it is ended. */
function begin(
  recorder: Recorder,
  ref: string,
  request: Partial<ObservedBuild['request']> = {},
  text = `of ${ref}\n`,
  outputs: readonly KeyedOutput[] = [],
) {
  const vertex = digestOf(ref);
  const recording = new Recording(progressMemory().recordings);
  const print = (printed: string) =>
    recording.tell({ kind: 'log', vertex, stream: 1, data: Buffer.from(printed), timestamp: 1000 });
  recording.tell({ kind: 'vertex', vertex: { digest: vertex, inputs: [], name: ref, cached: false } });
  print(text);
  const states = [{ digest: vertex, inputs: [], name: ref, cached: false, started: 1, completed: 2 }];
  const keyed = () => [{ digest: vertex, name: ref, maps: [], inputs: [], outputs }];
  const job = { progress: { states: () => states }, record: () => recording, keyed, owner: HOUSE };
  const watch: BuildWatch = recorder.observe({
    request: {
      ...{ ref, session: '', frontend: 'dockerfile.v0', frontendAttrs: new Map(), frontendInputs: new Map() },
      ...{ exporters: [], entitlements: [], scope: { write: 'a', read: ['a'] }, ...request },
    },
    build: { job, warnings: 3, unreadCaches: [] } as unknown as ObservedBuild['build'],
  });
  const end = (error?: CodedError, provenance?: BuiltProvenance) => {
    for (const steps = watch.ending?.(); steps?.next().done === false; );
    recording.end();
    if (error !== undefined) watch.ended?.({ kind: 'failed', error });
    else
      watch.ended?.({
        kind: 'done',
        outcome: { exporterResponse: { k: 'v' }, images: [] },
        exports: [made],
        provenance,
      });
  };
  return { end, print, stop: () => recording.end() };
}

const run = (recorder: Recorder, ...refs: string[]) => {
  const builds = refs.map((ref) => begin(recorder, ref));
  for (const { end } of builds) end();
};

/** Numbers of 64 bits as numbers. */
const plain = (message: unknown) => JSON.parse(JSON.stringify(message, (_, value) => value?.low ?? value));

const all = { activeOnly: false, ref: '' };
const refsOf = (recorder: Recorder, scope = 'a') => recorder.list(scope, all).map(({ record }) => record.ref);

async function logOf(recorder: Recorder, ref: string, scope = 'a'): Promise<string | undefined> {
  const messages = recorder.replay(scope, ref, { signal });
  if (messages === undefined) return undefined;
  let text = '';
  for await (const { parts } of messages)
    for (const { msg } of wire.moby.buildkit.v1.StatusResponse.decode(Buffer.concat(parts)).logs ?? [])
      text += Buffer.from(msg ?? []).toString();
  return text;
}

test('credentials of caches and of exporters are in no record', async () => {
  await using recorder = open();
  const s3 = {
    ...{ bucket: 'b', access_key_id: 'SECRET', secret_access_key: 'SECRET', session_token: 'SECRET' },
    url: 'https://user:SECRET@store.example.com/',
  };
  const lists = {
    listed: JSON.stringify([
      { Type: 's3', Attrs: s3 },
      { type: 'gha', attrs: { scope: 'main', token: 'SECRET' } },
      { type: 'azblob', attrs: { account_url: 'https://a.example.com/?sv=1&sig=SECRET' } },
    ]),
    malformed: '[{"Type":"gha","Attrs":{"token":"SECRET"}}',
    deep: `${'['.repeat(8000)}"SECRET"`,
  };
  for (const [ref, list] of Object.entries(lists))
    begin(recorder, ref, {
      frontendAttrs: new Map([
        ['target', 'x'],
        ['cache-imports', list],
      ]),
      exporters: [{ type: 'image', attrs: { ...s3, 'annotation.example.com/key': 'kept' } }],
    }).end();
  const records = recorder.list('a', all).map(({ record }) => record);
  expect(records.length).toBe(3);
  expect(JSON.stringify(plain(records))).not.toContain('SECRET');
  expect(JSON.parse(records.find(({ ref }) => ref === 'listed')?.frontendAttrs?.['cache-imports'] ?? '')).toEqual([
    {
      Type: 's3',
      Attrs: {
        ...{ bucket: 'b', access_key_id: 'xxxxx', secret_access_key: 'xxxxx', session_token: 'xxxxx' },
        url: 'https://xxxxx@store.example.com/',
      },
    },
    { type: 'gha', attrs: { scope: 'main', token: 'xxxxx' } },
    { type: 'azblob', attrs: { account_url: 'https://a.example.com/?sv=1&sig=xxxxx' } },
  ]);
  for (const { frontendAttrs, exporters } of records) {
    expect(frontendAttrs).toMatchObject({ target: 'x' });
    expect(exporters?.[0]?.attrs).toMatchObject({ bucket: 'b', 'annotation.example.com/key': 'kept' });
  }
});

test('a record and its log outlive the builder', async () => {
  {
    await using recorder = open();
    begin(recorder, 'done', { frontendAttrs: new Map([['target', 'x']]) }).end();
    begin(recorder, 'failed').end(new CodedError('internal', `no luck in ${folder}/x`, { fault: 'user' }));
    begin(recorder, 'helper', { recorded: 'not' }).end();
  }
  await using recorder = open();
  const [done, failed, ...others] = recorder.list('a', all).map(({ record }) => record);
  expect(others).toEqual([]);
  expect(plain(done)).toMatchObject({
    ...{ ref: 'done', frontend: 'dockerfile.v0', frontendAttrs: { target: 'x' }, exporterResponse: { k: 'v' } },
    ...{ numTotalSteps: 1, numCompletedSteps: 1, numWarnings: 3, generation: 0 },
    result: { resultDeprecated: made.descriptor, results: [{ descriptor: made.descriptor }] },
  });
  expect(held).toEqual(new Map([['history 1', new Set(made.kept)]]));
  expect(failed).toMatchObject({ ref: 'failed', error: { code: 2, message: 'no luck in <builder>/x' } });
  expect(await logOf(recorder, 'done')).toBe('of done\n');
  expect(await logOf(recorder, 'failed')).toBe('of failed\n');
  for (const descriptor of [done?.logs, failed?.externalError]) {
    const blob = recorder.blob('a', descriptor!.digest!)!;
    const bytes = Buffer.concat(await Array.fromAsync(blob.read(0, { signal })));
    expect([digestOf(bytes), bytes.length, blob.size]).toEqual([
      descriptor?.digest,
      descriptor?.size,
      descriptor?.size,
    ]);
    expect(Buffer.concat(await Array.fromAsync(blob.read(3, { signal })))).toEqual(bytes.subarray(3));
  }
});

test('a build that ran when the builder was killed has failed, and what it had told is there', async () => {
  const before = open();
  const { stop } = begin(before, 'killed');
  await expect.poll(() => readdirSync(directory())).toHaveLength(1);
  expect(before.list('a', all)).toMatchObject([{ type: 0, record: { ref: 'killed' } }]);
  {
    await using recorder = open();
    await recorder.settled();
    expect(recorder.list('a', all)).toMatchObject([
      { type: 1, record: { ref: 'killed', error: { message: 'the builder ended while the build ran' } } },
    ]);
    expect(await logOf(recorder, 'killed')).toBe('of killed\n');
  }
  stop();
});

test('filters choose among records; a pattern that takes too long keeps nobody waiting', async () => {
  await using recorder = open();
  run(recorder, 'one', 'two', 'a'.repeat(60));
  await recorder.settled();
  const refs = async (...filters: string[]) =>
    (await recorder.matching(recorder.list('a', all), parseHistoryFilters(filters), { signal })).map(
      ({ record }) => record.ref,
    );
  expect(await refs('ref~=^t')).toEqual(['two']);
  expect(await refs('ref==one', 'ref==two')).toEqual(['one', 'two']);
  await expect(refs('ref~=^(a+a+)+b$')).rejects.toThrow('takes too long');
});

test('a scope sees its own; an operator leaves no attributes', async () => {
  await using recorder = open();
  const seen: unknown[] = [];
  using _ = recorder.listen('a', (event) => seen.push(event.record.ref));
  begin(recorder, 'mine').end();
  const attributes = { frontendAttrs: new Map([['build-arg:TOKEN', 'secret']]), recorded: 'outline' as const };
  begin(recorder, 'theirs', { scope: { write: 'b', read: ['b'] }, ...attributes }).end();
  await recorder.settled();
  expect([refsOf(recorder, 'a'), refsOf(recorder, 'b')]).toEqual([['mine'], ['theirs']]);
  const [theirs] = recorder.list('b', all);
  expect(theirs?.record.frontendAttrs).toEqual({});
  const digest = theirs!.record.logs!.digest!;
  expect(recorder.blob('b', digest)).toBeDefined();
  expect(recorder.blob('a', digest)).toBe(undefined);
  expect(await logOf(recorder, 'theirs')).toBe(undefined);
  expect(() => recorder.delete('a', 'theirs')).toThrow(expect.objectContaining({ code: 'not_found' }));
  expect(new Set(seen)).toEqual(new Set(['mine']));
});

test('credentials of addresses are not kept', async () => {
  await using recorder = open();
  begin(recorder, 'r', { frontendAttrs: new Map([['context', 'https://me:token@host/x.git']]) }).end();
  expect(recorder.list('a', all)[0]?.record.frontendAttrs).toEqual({ context: 'https://xxxxx@host/x.git' });
});

describe('bounds', () => {
  test('records beyond the number that is kept go once they are old enough, with their logs, but for pinned ones', async () => {
    let now = 1_000_000_000_000;
    await using recorder = open({ ...LIMITS, maxEntries: 2, maxAgeMs: 1000 }, () => now);
    run(recorder, 'a', 'b', 'c');
    await recorder.settled();
    expect(refsOf(recorder)).toEqual(['a', 'b', 'c']);
    recorder.pin('a', 'a', true);
    now += 2000;
    run(recorder, 'd');
    await recorder.settled();
    await recorder.settled();
    expect(refsOf(recorder)).toEqual(['a', 'c', 'd']);
    expect(readdirSync(directory())).toHaveLength(3);
  });

  test('there are a thousand at most, however young', async () => {
    await using recorder = open();
    db.transaction(() => {
      for (let n = 0; n < 1010; n++)
        db.run(
          `INSERT INTO build_records (scope, ref, created_at, completed_at, record, log_digest) VALUES ('a', ?, 1, ?, x'', '')`,
          ...[`${n}`, Date.now()],
        );
    });
    run(recorder, 'last');
    await recorder.settled();
    await recorder.settled();
    expect(refsOf(recorder)).toHaveLength(1000);
    expect(refsOf(recorder).at(-1)).toBe('last');
  });

  test('all logs together are bounded, but for pinned ones', async () => {
    await using recorder = open();
    const text = 'x'.repeat(400 << 10);
    for (const ref of ['a', 'b', 'c', 'd']) {
      begin(recorder, ref, {}, text).end();
      if (ref === 'a') recorder.pin('a', 'a', true);
      await recorder.settled();
    }
    await recorder.settled();
    expect(refsOf(recorder)).toEqual(['a', 'c', 'd']);
  });

  test('a log that grows too long says where it ends, by the name of the bound; how steps ended is still in it', async () => {
    await using recorder = open({ ...LIMITS, maxLogSize: 100_000 });
    const long = begin(recorder, 'long', {}, '1'.repeat(60_000));
    for (const text of ['2'.repeat(60_000), '3', '4']) await long.print(text);
    long.end();
    await recorder.settled();
    expect(await logOf(recorder, 'long')).toBe(
      `${'1'.repeat(60_000)}\n[output is recorded no further: history.maxLogSize is 100000 bytes]\n`,
    );
  });

  test('logs that are being written count: older ones go for them, and they end where all may have no more', async () => {
    await using recorder = new Recorder({
      ...options(),
      mostLogBytes: 40 << 20,
      limits: { ...LIMITS, maxLogSize: 1 << 30 },
    });
    const text = 'x'.repeat(1 << 20);
    begin(recorder, 'old', {}, text.repeat(10)).end();
    await recorder.settled();
    const running = ['a', 'b'].map((ref) => begin(recorder, ref));
    for (let n = 0; n < 25; n++) for (const { print } of running) await print(text);
    await expect.poll(() => refsOf(recorder)).toEqual(['a', 'b']);
    for (const { end } of running) end();
    await recorder.settled();
    const sizes = recorder.list('a', all).map(({ record }) => Number(record.logs?.size));
    expect(sizes[0]! + sizes[1]!).toBeLessThan(41 << 20);
    expect((await logOf(recorder, 'b'))!.slice(-100)).toContain('the logs of this builder may have 41943040 bytes');
  });

  test('what is printed faster than it is written waits, and none of it is missing', async () => {
    await using recorder = new Recorder({ ...options({ ...LIMITS, maxLogSize: 1 << 30 }), mostLogBytes: 1 << 30 });
    const { print, end } = begin(recorder, 'fast', {}, '');
    let waits = 0;
    const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n} ${'x'.repeat(200)}\n`);
    for (const line of lines) {
      const wait = print(line);
      if (wait !== undefined) waits++;
      await wait;
    }
    expect(waits).toBeGreaterThan(1);
    end();
    await recorder.settled();
    expect((await logOf(recorder, 'fast')) === lines.join('')).toBe(true);
  });

  test('a client moves none of them: by pins, or by long attributes', async () => {
    await using recorder = open({ ...LIMITS, maxEntries: 0, maxAgeMs: 0 });
    const attributes = new Map([
      ['filename', 'Dockerfile'],
      ['build-arg:big', 'x'.repeat(1 << 20)],
    ]);
    for (let n = 0; n < 201; n++) {
      begin(recorder, `${n}`, { frontendAttrs: attributes });
      if (n < 200) recorder.pin('a', `${n}`, true);
    }
    expect(() => recorder.pin('a', '200', true)).toThrow(expect.objectContaining({ code: 'resource_exhausted' }));
    recorder.pin('a', '0', false);
    recorder.pin('a', '200', true);
    expect(recorder.list('a', all)[0]?.record.frontendAttrs).toEqual({ filename: 'Dockerfile' });
  });
});

test('what is deleted leaves neither log nor lease; logs without a record go at the next start', async () => {
  {
    await using recorder = open();
    const running = begin(recorder, 'r');
    expect(() => recorder.delete('a', 'r')).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
    running.end();
    run(recorder, 'kept');
    await recorder.settled();
    recorder.delete('a', 'r');
    await recorder.settled();
    expect(refsOf(recorder)).toEqual(['kept']);
    expect([...held.keys()]).toEqual(['history 2']);
    expect(readdirSync(directory())).toEqual(['2']);
    db.run('DELETE FROM build_records');
  }
  await using recorder = open();
  await recorder.settled();
  expect(readdirSync(directory())).toEqual([]);
});

describe('provenance', () => {
  const capture = {
    ...{ images: [], git: [], http: [], locals: ['context'], secrets: [], ssh: [] },
    ...{ networkAccess: false, incomplete: false },
  };
  const graph = scratch()
    .file(new FileActions().mkfile('/f', 0o644, Buffer.from('x')))
    .marshal();
  const definition = encodeDefinition(graph);
  /** Its only step is the vertex of the build. */
  const part = (id: string, build = '') => {
    const digests = new Map([[digestOf(graph.ops[0]!), digestOf(build)]]);
    return { id, ref: { definition, digests, graph: { ops: [] } }, capture };
  };
  const ofParts = (...ids: string[]) =>
    ({
      parts: ids.map((id) => part(id)),
      times: { invocationId: 'i', startedAt: 1000, finishedAt: 2000 },
      builderId: 'b',
    }) as unknown as BuiltProvenance;
  const attestationsOf = (recorder: Recorder, ref: string) => {
    const { record } = recorder.list('a', all).find((event) => event.record.ref === ref)!;
    return [record.result, ...Object.values(record.results ?? {})].flatMap((one) => one?.attestations ?? []);
  };
  async function predicateOf(recorder: Recorder, digest: string) {
    let bytes = Buffer.alloc(0);
    const blob = recorder.blob('a', digest)!;
    for await (const chunk of blob.read(0, { signal })) bytes = Buffer.concat([bytes, chunk]);
    expect([digestOf(bytes), bytes.length]).toEqual([digest, blob.size]);
    return JSON.parse(bytes.toString());
  }

  test('is made once somebody looks, also by the next life of the builder, and is the same for all who look', async () => {
    {
      await using recorder = open();
      begin(recorder, 'one').end(undefined, ofParts(''));
      begin(recorder, 'several').end(undefined, ofParts('linux/amd64', 'linux/arm64'));
      await recorder.settled();
      // Whoever does not wait for it is told nothing that is not there.
      expect([attestationsOf(recorder, 'one'), attestationsOf(recorder, 'several')]).toEqual([[], []]);
    }
    await using recorder = open();
    await Promise.all([recorder.ready('a', { signal }), recorder.ready('a', { signal })]);
    const [one, ...none] = attestationsOf(recorder, 'one');
    expect(none).toEqual([]);
    expect(await predicateOf(recorder, one!.digest!)).toMatchObject({
      buildDefinition: { externalParameters: { request: { locals: [{ name: 'context' }] } } },
      runDetails: { builder: { id: 'b' }, metadata: { invocationId: 'i', startedOn: '1970-01-01T00:00:01.000Z' } },
    });
    const several = attestationsOf(recorder, 'several').map(({ digest }) => digest!);
    expect(several).toHaveLength(2);
    for (const digest of several) await predicateOf(recorder, digest);
    await recorder.ready('a', { signal });
    expect(attestationsOf(recorder, 'one')).toEqual([one]);
  });

  test('tells the layers of steps that are still there when somebody looks, also of those whose result was not needed', async () => {
    const outputs = {
      used: { outcome: { kind: 'run' }, record: 'used', keys: [] },
      idle: { outcome: { kind: 'idle' }, keys: ['idle'] },
    } as const;
    const ofBuild = (ref: string) => ({ ...ofParts(), parts: [part('', ref)] }) as unknown as BuiltProvenance;
    {
      await using recorder = open();
      for (const [ref, output] of Object.entries(outputs))
        begin(recorder, ref, {}, undefined, [{ ...output, output: 0, ground: [] }]).end(undefined, ofBuild(ref));
      begin(recorder, 'gone', {}, undefined, [{ ...outputs.used, record: 'gone', output: 0, ground: [] }]).end(
        undefined,
        ofBuild('gone'),
      );
    }
    for (const id of ['used', 'idle']) results.set(id, packedResult(id));
    await using recorder = open();
    await recorder.ready('a', { signal });
    const told = async (ref: string) => {
      const [{ digest } = {}] = attestationsOf(recorder, ref);
      return (await predicateOf(recorder, digest!)).runDetails.metadata.buildkit_metadata.layers;
    };
    const layersOf = (id: string) => ({ 'step0:0': [[expect.objectContaining({ digest: digestOf(id) })]] });
    expect([await told('used'), await told('idle'), await told('gone')]).toEqual([
      layersOf('used'),
      layersOf('idle'),
      undefined,
    ]);
  });

  test('is made for the records that are taken alone, a few at once, and never again', async () => {
    const counts = { begun: 0, now: 0, most: 0 };
    const counting = {
      run: async (...args: Parameters<WorkerPool['run']>) => {
        if (args[0].fn === 'writePredicate') counts.begun++;
        counts.most = Math.max(counts.most, ++counts.now);
        return await pool.run(...args).finally(() => counts.now--);
      },
    } as unknown as WorkerPool;
    await using recorder = new Recorder({ ...options(), bulk: counting });
    for (let n = 0; n < 12; n++) begin(recorder, `${n}`).end(undefined, ofParts(''));
    await recorder.settled();
    const listed = recorder.list('a', all);
    expect([listed.length, counts.begun]).toEqual([12, 0]);
    const told = await Array.fromAsync(recorder.whole(listed.slice(3, 4), { signal }));
    expect(told.map(({ record }) => [record.ref, record.result?.attestations?.length])).toEqual([['3', 1]]);
    expect(counts.begun).toBe(1);
    const lists = [1, 2].map(() => Array.fromAsync(recorder.whole(listed, { signal })));
    for (const whole of await Promise.all(lists))
      expect(whole.map(({ record }) => [record.ref, record.result?.attestations?.length])).toEqual(
        listed.map(({ record }) => [record.ref, 1]),
      );
    expect(counts).toEqual({ begun: 12, now: 0, most: 4 });
    await recorder.ready('a', { signal });
    expect(counts.begun).toBe(12);
  });

  test('is told whole to whoever watches as builds end, and goes with its record', async () => {
    await using recorder = open();
    const told: number[] = [];
    using _listening = recorder.listen('a', ({ record }) => void told.push(record.result?.attestations?.length ?? 0));
    begin(recorder, 'r').end(undefined, ofParts(''));
    await recorder.settled();
    expect(told.at(-1)).toBe(1);
    expect(readdirSync(directory()).sort()).toEqual(['1', '1.0']);
    recorder.delete('a', 'r');
    await recorder.settled();
    expect(readdirSync(directory())).toEqual([]);
  });

  test('of a record whose files are damaged is left out, and the others have theirs', async () => {
    await using recorder = open();
    begin(recorder, 'damaged').end(undefined, ofParts(''));
    begin(recorder, 'whole').end(undefined, ofParts(''));
    await recorder.settled();
    writeFileSync(join(directory(), '1.0'), 'nothing of it');
    await recorder.ready('a', { signal });
    expect(attestationsOf(recorder, 'damaged')).toEqual([]);
    expect(attestationsOf(recorder, 'whole')).toHaveLength(1);
  });
});

test('no build fails of a history that cannot be written', async () => {
  await using recorder = open();
  rmSync(directory(), { recursive: true });
  begin(recorder, 'r').end();
  await recorder.settled();
  expect(existsSync(directory())).toBe(false);
  expect(refsOf(recorder)).toEqual(['r']);
  expect(await logOf(recorder, 'r')).toBe('');
});

test('who waits for records may leave, however long a worker takes', async () => {
  const stuck = { run: () => new Promise(() => {}) } as unknown as WorkerPool;
  const gone = new AbortController();
  const waiting = open(LIMITS, undefined, stuck).settled({ signal: gone.signal });
  gone.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
});
