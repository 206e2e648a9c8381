import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clock, CodedError, neverAborted, silentLogger } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import { Database } from '../../cache/metadata/index.ts';
import type { SolveOutcome } from '../engine/index.ts';
import type { RunId } from './id.ts';
import { readStart } from './request.ts';
import { tailOf } from './result.ts';
import type { Solve } from './run.ts';
import { Runs, type RunsOptions } from './runs.ts';
import { RunStore } from './store.ts';

const { UNKNOWN, RUNNING, SUCCEEDED, FAILED, CANCELLED } = wire.slipway.builder.v1.SolveState;
const signal = neverAborted;
const outcome: SolveOutcome = {
  exporterResponse: {},
  images: [
    {
      root: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${'a'.repeat(64)}`, size: 10 },
      names: ['registry.test/app:1'],
      insecure: true,
      size: 100,
      platforms: ['linux/amd64'],
      attested: ['https://slsa.dev/provenance/v1'],
      parts: [],
      signatures: [],
    },
  ],
};

let folder: string;
let db: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-runs-'));
  db = new Database(join(folder, 'db'));
});
afterEach(async () => {
  await db.close();
  rmSync(folder, { recursive: true });
});

/** Leases by their owner's id, with the blobs they hold. */
class FakeLeases {
  readonly held = new Map<string, Set<string>>();
  open({ id = '' }: { readonly id?: string }) {
    const blobs = this.held.get(id) ?? new Set<string>();
    this.held.set(id, blobs);
    const release = () => this.release(id);
    return {
      id,
      addRef: () => {},
      addBlob: (digest: string) => void blobs.add(digest),
      release,
      [Symbol.dispose]: () => {},
    };
  }
  release(id: string): void {
    this.held.delete(id);
  }
}

/** Solves that end when told to. */
class FakeEngine {
  readonly running = new Map<string, PromiseWithResolvers<SolveOutcome>>();
  started = 0;
  readonly solve: Solve = async ({ ref }, options) => {
    this.started++;
    const own = Promise.withResolvers<SolveOutcome>();
    this.running.set(ref, own);
    options.signal.addEventListener('abort', () => own.reject(options.signal.reason), { once: true });
    return await own.promise;
  };
}

function open(options: Partial<RunsOptions> & { readonly clock?: Clock } = {}) {
  const engine = new FakeEngine();
  const leases = new FakeLeases();
  const logical: string[] = [];
  const store = new RunStore({ db, leases, ...(options.clock === undefined ? {} : { clock: options.clock }) });
  const tagged: string[] = [];
  const runs = new Runs({
    solve: engine.solve,
    store,
    sessions: {
      declareLogical: (id) => {
        logical.push(id);
        return { [Symbol.dispose]: () => void logical.splice(logical.indexOf(id), 1) };
      },
    },
    writeTags: async (images) => void tagged.push(...images.flatMap(({ names }) => names)),
    capacity: 2,
    unattachedMs: 60_000,
    log: silentLogger,
    ...options,
  });
  const start = async (uid: string, attempt = 1, timeoutMs = 0, part = '') =>
    await runs.start(
      await readStart(
        {
          id: { runUid: uid, part, attempt },
          sessionId: 'session-1',
          writeScope: 'ns',
          timeoutMs,
          solve: { frontend: 'dockerfile.v0' },
        },
        { signal },
      ),
    );
  const finish = async (uid: string, attempt = 1, how: SolveOutcome | CodedError = outcome) => {
    const solve = engine.running.get(`run-${uid}:${attempt}`)!;
    if (how instanceof CodedError) solve.reject(how);
    else solve.resolve(how);
    return await runs.result({ uid, part: '', attempt }, { signal, wait: true });
  };
  return { runs, engine, store, leases, logical, tagged, start, finish };
}

const id = (uid: string, attempt = 1, part = ''): RunId => ({ uid, part, attempt });

test('limits come with the name of who set them; what is no bound is refused', async () => {
  const read = (limits: wire.slipway.builder.v1.Limits.$Properties) =>
    readStart(
      { id: { runUid: 'a', attempt: 1 }, writeScope: 'ns', solve: { frontend: 'dockerfile.v0' }, limits },
      { signal },
    );
  expect(
    (await read({ stepMemory: 1 << 20, unpackedLayerEntries: 7, contextBytes: 9, setBy: 'the BuilderPool ci' })).solve
      .limits,
  ).toEqual({
    stepMemory: { most: 1 << 20, name: 'limits.stepMemory of the BuilderPool ci' },
    unpackedLayerEntries: { most: 7, name: 'limits.unpackedLayerEntries of the BuilderPool ci' },
    contextBytes: { most: 9, name: 'limits.contextBytes of the BuilderPool ci' },
  });
  expect((await read({})).solve.limits).toEqual({});
  await expect(read({ stepProcesses: -1 })).rejects.toMatchObject({
    code: 'invalid_argument',
    message: expect.stringContaining('limits.stepProcesses'),
  });
});

test('of a Build’s own limits and its pool’s the stricter ones count, by their names', async () => {
  const { solve } = await readStart(
    {
      ...{ id: { runUid: 'a', attempt: 1 }, writeScope: 'ns', solve: { frontend: 'dockerfile.v0' } },
      limits: { stepMemory: 10, stepProcesses: 5, setBy: 'the BuilderPool ci' },
      resources: { stepMemory: 20, stepProcesses: 4, stepCpuMillis: 500, setBy: 'the Build ns/a' },
    },
    { signal },
  );
  expect(solve.limits).toEqual({
    stepMemory: { most: 10, name: 'limits.stepMemory of the BuilderPool ci' },
    stepProcesses: { most: 4, name: 'resources.limits.pids of the Build ns/a' },
    stepCpuMillis: { most: 500, name: 'resources.limits.cpu of the Build ns/a' },
  });
});

describe('results', () => {
  test('are kept, their manifests leased until the tags are written, and go when acknowledged', async () => {
    const { runs, engine, leases, logical, tagged, start, finish } = open();
    await start('a');
    expect(logical).toEqual(['session-1']);
    expect(await finish('a')).toMatchObject({
      state: SUCCEEDED,
      outputs: [
        {
          names: ['registry.test/app:1'],
          platforms: ['linux/amd64'],
          attested: ['https://slsa.dev/provenance/v1'],
        },
      ],
    });
    expect(logical).toEqual([]);
    expect([...leases.held.values()].map((blobs) => [...blobs])).toEqual([[outcome.images[0]!.root.digest]]);
    await Promise.all([runs.commit(id('a'), { signal }), runs.commit(id('a'), { signal })]);
    await runs.commit(id('a'), { signal });
    expect(tagged).toEqual(['registry.test/app:1']);
    expect(leases.held.size).toBe(0);
    expect(await runs.cancel(id('a'), '', { signal })).toBe(SUCCEEDED);
    await runs.acknowledge(id('a'), { signal });
    expect(await runs.result(id('a'), { signal, wait: true })).toMatchObject({ state: UNKNOWN });
    expect(engine.started).toBe(1);
  });

  test('of a builder that stops are not told', async () => {
    const { runs, start } = open();
    await start('a');
    const waiting = expect(runs.result(id('a'), { signal, wait: true })).rejects.toMatchObject({
      reason: 'BUILDER_STOPPING',
    });
    await runs[Symbol.asyncDispose]();
    await waiting;
    expect(await runs.result(id('a'), { signal, wait: false })).toMatchObject({ state: UNKNOWN });
    await expect(start('b')).rejects.toMatchObject({ reason: 'BUILDER_DRAINING' });
  });

  test('are bounded in number and time', () => {
    let now = 1_000_000_000_000;
    const leases = new FakeLeases();
    const store = new RunStore({ db, leases, clock: { now: () => now }, maxResults: 3, maxMarks: 5, keepMs: 1000 });
    const result = { state: SUCCEEDED, outputs: [{ digest: outcome.images[0]!.root.digest }] };
    const save = (uid: string) => store.save(id(uid), { state: SUCCEEDED, session: '', insecure: [false], result });
    for (const uid of ['a', 'b', 'c', 'd']) {
      save(uid);
      now++;
    }
    expect(['a', 'b', 'c', 'd'].map((uid) => store.find(id(uid)) !== undefined)).toEqual([false, true, true, true]);
    expect(leases.held.size).toBe(3);
    for (let n = 0; n < 20; n++) {
      store.mark(id(`m${n}`), CANCELLED);
      store.noteAttempt(id(`m${n}`, 7));
      now++;
    }
    expect(store.find(id('d'))).toBeDefined();
    expect(store.find(id('m0'))).toBe(undefined);
    expect(store.find(id('m19'))).toMatchObject({ state: CANCELLED });
    expect(store.newestAttempt(id('m19'))).toBe(7);
    expect(store.newestAttempt(id('m0'))).toBe(0);
    now += 2000;
    save('e');
    expect(store.find(id('d'))).toBe(undefined);
    expect(leases.held.size).toBe(1);
  });

  test('that the database does not take are kept in memory', async () => {
    const { runs, store, start, finish } = open();
    await start('a');
    store.save = () => {
      throw new CodedError('resource_exhausted', 'disk full');
    };
    expect(await finish('a')).toMatchObject({ state: SUCCEEDED });
    await runs.commit(id('a'), { signal });
    expect(await runs.result(id('a'), { signal, wait: true })).toMatchObject({ committed: true });
  });

  test("of an interruption that nobody asked for are the platform's failure", async () => {
    const { start, finish } = open();
    await start('a');
    const result = await finish('a', 1, new CodedError('cancelled', 'context canceled'));
    expect(result).toMatchObject({ state: FAILED, fault: 'infrastructure', reason: 'RUN_INTERRUPTED' });
  });
});

describe('the fence', () => {
  test('a commit under way is stopped by a newer attempt, before that starts', async () => {
    const order: string[] = [];
    const { runs, start, finish } = open({
      writeTags: async (_images, options) => {
        const { promise, reject } = Promise.withResolvers<void>();
        options.signal.addEventListener('abort', () => setTimeout(() => reject(options.signal.reason), 20));
        await promise.finally(() => order.push('stopped'));
      },
    });
    await start('a');
    await finish('a');
    const commit = runs.commit(id('a'), { signal }).catch((error: CodedError) => error.reason);
    await start('a', 2);
    order.push('started');
    expect(await commit).toBe('RUN_SUPERSEDED');
    expect(order).toEqual(['stopped', 'started']);
    await expect(runs.commit(id('a'), { signal })).rejects.toMatchObject({ reason: 'RUN_SUPERSEDED' });
  });

  test('cancelling an attempt that is not known yet ends older ones', async () => {
    const { runs, start } = open();
    await start('a', 1);
    expect(await runs.cancel(id('a', 2), '', { signal })).toBe(CANCELLED);
    expect(await runs.result(id('a', 1), { signal, wait: true })).toMatchObject({
      state: CANCELLED,
      reason: 'RUN_SUPERSEDED',
    });
    expect(await start('a', 2)).toEqual({ state: CANCELLED, alreadyKnown: true });
    expect(await start('a', 3)).toEqual({ state: RUNNING, alreadyKnown: false });
  });

  test('parts of one run go on side by side, each with attempts of its own', async () => {
    const { runs, engine, start } = open();
    await start('a', 1, 0, 'amd64');
    await start('a', 1, 0, 'arm64');
    await start('a', 2, 0, 'arm64');
    expect(await runs.result(id('a', 1, 'arm64'), { signal, wait: true })).toMatchObject({ reason: 'RUN_SUPERSEDED' });
    expect(await runs.result(id('a', 1, 'amd64'), { signal, wait: false })).toMatchObject({ state: RUNNING });
    engine.running.get('run-a:amd64:1')!.resolve(outcome);
    expect(await runs.result(id('a', 1, 'amd64'), { signal, wait: true })).toMatchObject({ state: SUCCEEDED });
    expect(await runs.commit(id('a', 1, 'amd64'), { signal })).toMatchObject({ committed: true });
    await expect(start('a', 1)).resolves.toEqual({ state: RUNNING, alreadyKnown: false });
  });

  test('and the results outlive the form of the state that knew no parts', async () => {
    const result = wire.slipway.builder.v1.ResultResponse.encode({ state: SUCCEEDED, commit: 'c0ffee' }).finish();
    db.migrate('runs', [
      `CREATE TABLE runs (
         uid TEXT NOT NULL, attempt INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL,
         session TEXT NOT NULL, insecure TEXT NOT NULL, result BLOB,
         PRIMARY KEY (uid, attempt)
       );
       CREATE INDEX runs_at ON runs (at);
       CREATE TABLE run_attempts (uid TEXT PRIMARY KEY, attempt INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
       CREATE INDEX run_attempts_at ON run_attempts (at);`,
    ]);
    const now = Date.now();
    db.run('INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)', 'a', 3, SUCCEEDED, now, 'session-1', '1,0', result);
    db.run('INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, NULL)', 'b', 1, CANCELLED, now, '', '');
    db.run('INSERT INTO run_attempts VALUES (?, ?, ?)', 'a', 3, now);
    const { runs, store, start } = open();
    expect(store.find(id('a', 3))).toMatchObject({ session: 'session-1', insecure: [true, false] });
    expect(await runs.result(id('a', 3), { signal, wait: true })).toMatchObject({ commit: 'c0ffee' });
    expect(await start('b')).toEqual({ state: CANCELLED, alreadyKnown: true });
    await expect(start('a', 2)).rejects.toMatchObject({ reason: 'RUN_SUPERSEDED' });
  });

  test('a solve that succeeds while it is being cancelled is cancelled', async () => {
    const own = Promise.withResolvers<SolveOutcome>();
    const { runs, start } = open({ solve: () => own.promise });
    await start('a');
    const cancelled = runs.cancel(id('a'), 'enough', { signal });
    own.resolve(outcome);
    expect(await cancelled).toBe(CANCELLED);
    await expect(runs.commit(id('a'), { signal })).rejects.toMatchObject({ reason: 'RUN_CANCELLED' });
  });

  test('a failed commit can be tried again', async () => {
    let tries = 0;
    const { runs, start, finish } = open({
      writeTags: async () => {
        if (++tries === 1) throw new CodedError('unavailable', 'registry down');
      },
    });
    await start('a');
    await finish('a');
    await expect(runs.commit(id('a'), { signal })).rejects.toMatchObject({ code: 'unavailable' });
    expect(await runs.result(id('a'), { signal, wait: false })).toMatchObject({ committed: false });
    expect(await runs.commit(id('a'), { signal })).toMatchObject({ committed: true });
  });
});

describe('room', () => {
  test('is for as many as the capacity says; a new attempt takes the place of its older one', async () => {
    const { start, finish } = open();
    await start('a');
    await start('b');
    await expect(start('c')).rejects.toMatchObject({ reason: 'BUILDER_BUSY' });
    expect(await start('a', 2)).toMatchObject({ state: RUNNING });
    await finish('b');
    expect(await start('c')).toMatchObject({ state: RUNNING });
  });

  test('is given back by a solve that nobody is attached to, not by one that is watched', async () => {
    const { runs, start } = open({ unattachedMs: 400 });
    await start('watched');
    const stop = new AbortController();
    const watching = (async () => {
      for await (const _ of runs.watchable(id('watched'))!.events({ signal: stop.signal }));
    })();
    await start('alone');
    while ((await runs.result(id('alone'), { signal, wait: false })).state === RUNNING)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await runs.result(id('alone'), { signal, wait: false })).toMatchObject({ reason: 'RUN_UNATTACHED' });
    expect(await runs.result(id('watched'), { signal, wait: false })).toMatchObject({ state: RUNNING });
    stop.abort();
    await expect(watching).rejects.toThrow();
    while ((await runs.result(id('watched'), { signal, wait: false })).state === RUNNING)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await runs.result(id('watched'), { signal, wait: false })).toMatchObject({ reason: 'RUN_UNATTACHED' });
  });

  test("a timeout is the user's", async () => {
    const { runs, start } = open();
    await start('a', 1, 20);
    expect(await runs.result(id('a'), { signal, wait: true })).toMatchObject({
      state: FAILED,
      reason: 'RUN_TIMEOUT',
      fault: 'user',
    });
  });
});

test.each([
  [['abc'], 'abc'],
  [['ab', 'cdefghij'], 'cdefghij'],
  [['xé', 'éééé'], 'éééé'],
  [['xx€€€'], '€€'],
  [['💥💥💥'], '💥💥'],
])('the tail of %j', (chunks, expected) => {
  expect(
    Buffer.from(
      tailOf(
        chunks.map((chunk) => Buffer.from(chunk)),
        8,
      ),
    ).toString(),
  ).toBe(expected);
});

test('the tail of what is no UTF-8 is UTF-8, and no longer than asked', () => {
  const tail = tailOf([Buffer.alloc(5000, 0xff), Buffer.alloc(5000, 0x80)]);
  expect(tail.length).toBeLessThanOrEqual(2048);
  expect(() => new TextDecoder('utf-8', { fatal: true }).decode(tail)).not.toThrow();
});
