import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Afterwork, cancelledError, HOUSE, neverAborted, newId, Places, type WorkOwner } from '../../../base/index.ts';
import { ContentHasher } from '../../../cache/contenthash/index.ts';
import type { ImmutableRef } from '../../../cache/ports.ts';
import { refResult } from '../../../cache/refs/index.ts';
import { makeRef } from '../../../cache/testing/make-ref.ts';
import { openTestState } from '../../../cache/testing/open-state.ts';
import type { ExecMount, ExecOp } from '../../../llb/index.ts';
import type { OpContext, Result } from '../../../solver/ports.ts';
import { Cgroup, cgroupLayout, createPools, lifeCgroup, mountsBelow, type Pools, sweep } from '../../../sys/index.ts';
import { createExecutor, EMPTY_META, type Executor, type OciExecutor } from '../../executor/index.ts';
import { makeBusyboxRoot } from '../../executor/testing/busybox.ts';
import type { SourceSecrets } from '../../sources/index.ts';
import { noSecrets } from '../../sources/testing/no-secrets.ts';
import { execOp } from './exec-op.ts';
import { execMount as mount } from './testing/exec-mount.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const stateId = `test-${newId()}`;
let state: Awaited<ReturnType<typeof openTestState>>;
let pools: Pools;
let executor: Executor;
const afterwork = new Afterwork();
let base: ImmutableRef;
let root: string;

beforeAll(async () => {
  state = await openTestState();
  root = join(state.layout.mounts, '..');
  pools = createPools({ short: 2, bulk: 1 });
  executor = await createExecutor({ directory: join(root, 'exec'), stateId, pools }, options);
  base = await makeRef(state, undefined, (directory) => makeBusyboxRoot(directory));
});
afterAll(async () => {
  await base?.release();
  await executor?.[Symbol.asyncDispose]();
  await pools?.[Symbol.asyncDispose]();
  await sweep({ stateId, directory: root });
  expect(mountsBelow(root)).toEqual([]);
  await state?.[Symbol.asyncDispose]();
});

interface Run {
  readonly mounts?: readonly ExecMount[];
  readonly exec?: Partial<ExecOp>;
  readonly inputs?: readonly ImmutableRef[];
  readonly secrets?: SourceSecrets;
  readonly signal?: AbortSignal;
  readonly onLog?: (text: string) => unknown;
  readonly places?: Places;
  readonly owner?: WorkOwner;
  readonly on?: Executor;
}

async function sh(
  script: string,
  {
    mounts = [],
    exec = {},
    inputs = [],
    secrets = noSecrets,
    signal = neverAborted,
    onLog,
    places,
    owner = HOUSE,
    on,
  }: Run = {},
) {
  let log = '';
  const context: OpContext = {
    signal,
    owner,
    sessions: () => ['s1'],
    limits: () => ({}),
    scope: 'test',
    progress: {
      status: () => {},
      warn: () => {},
      log: (_, data, audience) => {
        if (audience === 'records') return;
        log += Buffer.from(data).toString();
        onLog?.(Buffer.from(data).toString());
      },
    },
  };
  const op = execOp(
    {
      meta: { ...EMPTY_META, args: ['/bin/sh', '-c', script] },
      mounts: [mount('/', 0, { output: 0 }), ...mounts],
      network: 'unset',
      security: 'sandbox',
      secretEnv: [],
      cdiDevices: [],
      ...exec,
    },
    { os: 'linux', architecture: 'amd64' },
    1 + inputs.length,
    {
      refs: state.refs,
      executor: on ?? executor,
      secrets,
      places,
      afterwork,
      resultOf: refResult,
      hasher: new ContentHasher({ pool: pools.bulk }),
    },
  );
  const { map } = await op.cacheMap(0, context);
  expect(map.inputs).toHaveLength(1 + inputs.length);
  const results = await op.exec(
    [base, ...inputs].map((ref) => refResult(ref)),
    context,
  );
  return { log, results };
}

async function filesOf(result: Result<ImmutableRef> | undefined): Promise<string[]> {
  await using view = await (result as Result<ImmutableRef>).value.mount(options);
  return readdirSync(view.root).sort();
}

async function release(results: readonly Result<ImmutableRef>[]): Promise<void> {
  for (const result of results) await result.release();
}

test('a chain of steps builds upon what was committed', async () => {
  const first = await sh('echo one > /one');
  const second = await sh('cat /one > /two; rm /one', {
    exec: { mounts: [mount('/', 1, { output: 0 })] },
    inputs: [first.results[0]!.value],
  });
  expect(await filesOf(first.results[0])).toContain('one');
  const files = await filesOf(second.results[0]);
  expect(files).toContain('two');
  expect(files).not.toContain('one');
  await release([...first.results, ...second.results]);
});

test('fifty builds of one tenant keep a step of another waiting for about one turn, and what is cancelled while it waits leaves nothing', async () => {
  const places = new Places(1);
  const id = newId();
  const common = mount('/common', -1, { type: 'cache', cache: { id, sharing: 'shared' } });
  const order: string[] = [];
  const begun = Promise.withResolvers<unknown>();
  const step = (tenant: string, build: string, script: string, signal = neverAborted) =>
    sh(script, {
      ...{ places, mounts: [common], signal, owner: { tenant, build } },
      onLog: (text) => {
        order.push(text.trim());
        begun.resolve(text);
      },
    });
  const holding = step('a', 'first', 'echo holding; until [ -e /common/go ]; do sleep 0.05; done');
  await begun.promise;
  const enough = new AbortController();
  const many = Array.from({ length: 50 }, (_, n) => step('a', `${n}`, `echo a${n}`, enough.signal));
  const all = Promise.allSettled(many);
  await expect.poll(() => places.waiting).toBe(50);
  const other = step('b', 'small', 'echo b');
  await expect.poll(() => places.waiting).toBe(51);
  await release((await sh('touch /common/go', { mounts: [common] })).results);
  await release((await holding).results);
  await release((await other).results);
  expect(order.slice(0, 3).toSorted()).toEqual(['a0', 'b', 'holding']);
  enough.abort(cancelledError());
  for (const one of await all) if (one.status === 'fulfilled') await release(one.value.results);
  await afterwork.settled();
  expect(places).toMatchObject({ held: 0, waiting: 0 });
});

test('a step that waits for a client, or for a locked cache, takes no place from others', async () => {
  const places = new Places(2);
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Uint8Array>();
  const secrets = {
    ...noSecrets,
    secret: () => {
      asked.resolve();
      return answer.promise;
    },
  };
  const secret = { id: 's', uid: 0, gid: 0, mode: 0o400, optional: false };
  const waiting = sh('cat /s', { places, secrets, mounts: [mount('/s', -1, { type: 'secret', secret })] });
  await asked.promise;
  const cache = mount('/locked', -1, { type: 'cache', cache: { id: newId(), sharing: 'locked' } });
  const common = mount('/common', -1, { type: 'cache', cache: { id: newId(), sharing: 'shared' } });
  const begun = Promise.withResolvers<unknown>();
  const holding = sh('echo begun; until [ -e /common/go ]; do sleep 0.05; done', {
    ...{ places, onLog: begun.resolve },
    mounts: [cache, common],
  });
  await begun.promise;
  const locked = sh('true', { places, mounts: [cache] });
  const free = await sh('touch /common/go', { places, mounts: [common] });
  answer.resolve(Buffer.from('told'));
  expect((await waiting).log).toBe('told');
  for (const { results } of await Promise.all([waiting, holding, locked, free])) await release(results);
});

test('a read-only root is read-only to the step alone: what is mounted in it needs no place there', async () => {
  const out = mount('/out/deep', -1, { output: 0 });
  const exec = { mounts: [mount('/', 0, { readonly: true }), out] };
  const { log, results } = await sh('touch /x 2>/dev/null || echo read-only; echo made > /out/deep/made', { exec });
  expect(log).toBe('read-only\n');
  expect(await filesOf(results[0])).toEqual(['made']);
  await using view = await base.mount(options);
  expect(readdirSync(view.root)).not.toContain('out');
  await release(results);
});

test('several outputs, a throw-away mount, a passed-through one and a selector', async () => {
  const data = await makeRef(state, undefined, (directory) => {
    mkdirSync(join(directory, 'sub'));
    writeFileSync(join(directory, 'sub/file'), 'selected');
  });
  const { log, results } = await sh(
    'cat /in/file; touch /out/made; touch /scratch/x; touch /discarded/sub/y && echo; touch /passed/z || echo read-only',
    {
      inputs: [data],
      mounts: [
        mount('/in', 1, { selector: '/sub', readonly: true }),
        mount('/out', 1, { output: 1 }),
        mount('/scratch', -1, { output: 2 }),
        mount('/discarded', 1),
        mount('/passed', 1, { output: 3, readonly: true }),
      ],
    },
  );
  expect(log).toContain('selected');
  expect(log).toContain('read-only');
  expect(results).toHaveLength(4);
  expect(await filesOf(results[1])).toEqual(['made', 'sub']);
  expect(await filesOf(results[2])).toEqual(['x']);
  expect(results[3]?.value.id).toBe(data.id);
  expect(await filesOf(results[0])).toEqual(
    expect.not.arrayContaining(['in', 'out', 'scratch', 'discarded', 'passed']),
  );
  await release(results);
  expect(await filesOf(refResult(data))).toEqual(['sub']);
  await data.release();
});

describe('cache mounts', () => {
  const cache = (id: string, sharing: 'shared' | 'private' | 'locked', overrides: Partial<ExecMount> = {}) =>
    mount('/cache', -1, { type: 'cache', cache: { id, sharing }, ...overrides });

  test('live on between steps, also failed ones, and are in no layer', async () => {
    const first = await sh('echo 1 >> /cache/log', { mounts: [cache('a', 'shared')] });
    await expect(sh('echo 2 >> /cache/log; false', { mounts: [cache('a', 'shared')] })).rejects.toMatchObject({
      exitCode: 1,
    });
    const third = await sh('cat /cache/log', { mounts: [cache('a', 'shared')] });
    expect(third.log).toBe('1\n2\n');
    expect(await filesOf(first.results[0])).not.toContain('cache');
    await release([...first.results, ...third.results]);
  });

  test('shared is one for all at once, locked is one after the other, private is apart', async () => {
    // Two steps at once: each goes on when it has seen both in the shared /sync, so that they do overlap.
    const meet = 'echo x >> /sync/log; until [ "$(wc -l < /sync/log)" = 2 ]; do sleep 0.02; done;';
    const both = async (sharing: 'shared' | 'private' | 'locked', script: string) => {
      const sync = cache(`sync-${sharing}`, 'shared', { dest: '/sync' });
      const mounts = [cache(`b-${sharing}`, sharing), sync];
      const ran = await Promise.all([0, 1].map(() => sh(script, { mounts })));
      for (const { results } of ran) await release(results);
      return ran.map(({ log }) => log.trim()).sort();
    };
    expect(await both('shared', `echo x >> /cache/log; ${meet} wc -l < /cache/log`)).toEqual(['2', '2']);
    expect(await both('private', `echo x >> /cache/log; ${meet} wc -l < /cache/log`)).toEqual(['1', '1']);
    const alone = 'mkdir /cache/busy && sleep 0.1 && rmdir /cache/busy && echo alone';
    expect(await both('locked', alone)).toEqual(['alone', 'alone']);
  });

  test('locked twice in one step is one; two steps that lock two the other way round both end', async () => {
    const lock = (dest: string, id: string) => cache(id, 'locked', { dest });
    const twice = await sh('touch /p/x; ls /q', { mounts: [lock('/p', 'same'), lock('/q', 'same')] });
    expect(twice.log).toBe('x\n');
    const [one, two] = await Promise.all([
      sh('sleep 0.1', { mounts: [lock('/p', 'l1'), lock('/q', 'l2')] }),
      sh('sleep 0.1', { mounts: [lock('/p', 'l2'), lock('/q', 'l1')] }),
    ]);
    await release([...twice.results, ...one.results, ...two.results]);
  });

  test('an aborted wait for a locked one leaves nothing open', async () => {
    const held = Promise.withResolvers<void>();
    const stop = new AbortController();
    const holder = sh('echo go; sleep 100', {
      mounts: [cache('c', 'locked')],
      signal: stop.signal,
      onLog: () => held.resolve(),
    });
    await held.promise;
    const controller = new AbortController();
    const waiter = sh('true', { mounts: [cache('c', 'locked')], signal: controller.signal });
    await delay(50);
    controller.abort(cancelledError('not any more'));
    await expect(waiter).rejects.toThrow('not any more');
    stop.abort(cancelledError());
    await expect(holder).rejects.toMatchObject({ code: 'cancelled' });
    const after = await sh('echo free', { mounts: [cache('c', 'locked')] });
    expect(after.log).toBe('free\n');
    await release(after.results);
  });

  test('an input seeds it once, and is not changed', async () => {
    const seed = await makeRef(state, undefined, (directory) => writeFileSync(join(directory, 'seed'), 's'));
    const seeded = cache('d', 'shared', { input: 1 });
    const first = await sh('ls /cache; touch /cache/more', { mounts: [seeded], inputs: [seed] });
    const second = await sh('ls /cache', { mounts: [seeded], inputs: [seed] });
    expect([first.log, second.log]).toEqual(['seed\n', 'more\nseed\n']);
    expect(await filesOf(refResult(seed))).toEqual(['seed']);
    await release([...first.results, ...second.results]);
    await seed.release();
  });
});

test('tmpfs has its size and is in no layer', async () => {
  const { log, results } = await sh('df -m /t | tail -1 | tr -s " " | cut -d" " -f2; touch /t/x', {
    mounts: [mount('/t', -1, { type: 'tmpfs', tmpfs: { size: 3 << 20 } })],
  });
  expect(log).toBe('3\n');
  expect(await filesOf(results[0])).not.toContain('t');
  await release(results);
});

describe('secrets', () => {
  const value = `the-value-${newId()}`;
  const secrets: SourceSecrets = {
    ...noSecrets,
    secret: async (id, sessions) => (id === 'token' && sessions[0] === 's1' ? Buffer.from(value) : undefined),
  };
  const secret = (id: string, optional: boolean) =>
    mount(`/run/secrets/${id}`, -1, { type: 'secret', secret: { id, uid: 0, gid: 7, mode: 0o440, optional } });

  test('as file and as variable; the value is in no file of the state', async () => {
    const { log, results } = await sh(
      'stat -c %g:%a /run/secrets/token; wc -c < /run/secrets/token; [ "$TOKEN" = "$(cat /run/secrets/token)" ] && echo same; ls /run/secrets',
      {
        mounts: [secret('token', false), secret('none', true)],
        exec: {
          secretEnv: [
            { id: 'token', name: 'TOKEN', optional: false },
            { id: 'none', name: 'NONE', optional: true },
          ],
        },
        secrets,
      },
    );
    expect(log).toBe(`7:440\n${value.length}\nsame\ntoken\n`);
    await release(results);
    const found = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(value),
    );
    expect(found).toEqual([]);
  });

  test('a missing one that is required says what to pass', async () => {
    await expect(sh('true', { mounts: [secret('other', false)], secrets })).rejects.toMatchObject({
      code: 'not_found',
      message: 'secret other: not found',
      hint: expect.stringContaining('--secret id=other'),
    });
  });
});

describe('ssh agents', () => {
  const ssh = (optional: boolean) =>
    mount('/run/agent', -1, { type: 'ssh', ssh: { id: 'default', uid: 3, gid: 4, mode: 0o600, optional } });

  test('are sockets with an owner and a mode, closed after the step', async () => {
    const path = join(root, `agent-${newId()}`);
    const server = createServer().listen(path);
    await once(server, 'listening');
    let closed = 0;
    const secrets: SourceSecrets = {
      ...noSecrets,
      sshAgent: async () => ({
        path,
        [Symbol.asyncDispose]: async () => {
          closed++;
          server.close();
        },
      }),
    };
    const { log, results } = await sh('[ -S /run/agent ] && stat -c %u:%g:%a /run/agent', {
      mounts: [ssh(false)],
      secrets,
    });
    expect(log).toBe('3:4:600\n');
    expect(closed).toBe(1);
    expect(await filesOf(results[0])).not.toContain('agent');
    await release(results);
  });

  test('are required unless optional', async () => {
    await expect(sh('true', { mounts: [ssh(false)] })).rejects.toMatchObject({
      code: 'not_found',
      hint: 'pass --ssh default to the build',
    });
    const { log, results } = await sh('ls /run/agent 2>/dev/null || echo none', { mounts: [ssh(true)] });
    expect(log).toBe('none\n');
    await release(results);
  });
});

test('a parent cgroup of the step’s own is used and left empty', async () => {
  const meta = { ...EMPTY_META, cgroupParent: 'slipway-test-parent', args: ['/bin/sh', '-c', 'true'] };
  await release((await sh('', { exec: { meta } })).results);
  await sweep({ stateId, directory: join(root, 'exec') });
  const parent = new Cgroup('/slipway-test-parent', cgroupLayout());
  expect(parent.children()).toEqual(cgroupLayout().kind === 'none' ? [] : expect.not.arrayContaining([stateId]));
  await parent.remove();
});

describe('what fails', () => {
  test('leaves no ref behind and tells the exit code', async () => {
    const count = () => state.db.all<{ id: string }>('SELECT id FROM refs').length;
    const before = count();
    await expect(sh('exit 3', { mounts: [mount('/out', -1, { output: 1 })] })).rejects.toMatchObject({
      exitCode: 3,
      message: 'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3',
    });
    await expect(sh('true', { exec: { mounts: [] } })).rejects.toThrow('no mount at /');
    await expect(sh('true', { mounts: [mount('/x', 5)] })).rejects.toThrow('has no input 5');
    await expect(sh('true', { mounts: [mount('/x', -1, { output: 2 })] })).rejects.toThrow('no mount for its output 1');
    await expect(sh('true', { mounts: [mount('/x', -1, { output: 0 })] })).rejects.toThrow('two mounts');
    await expect(
      sh('true', { exec: { cdiDevices: [{ name: 'vendor.com/gpu=0', optional: false }] } }),
    ).rejects.toMatchObject({ code: 'unimplemented' });
    expect(count()).toBe(before);
  });

  test('shows the end of a clipped log', async () => {
    let log = '';
    const failed = sh('head -c 5000000 /dev/zero | tr "\\0" x; echo the reason; exit 1', {
      onLog: (text) => (log += text),
    });
    await expect(failed).rejects.toMatchObject({ exitCode: 1 });
    expect(log).toMatch(/\[output clipped, log limit 200KiB\/s reached\]\nx+the reason\n$/);
    expect(log.length).toBeLessThan(500_000);
  });
});

test('a cancelled build does not wait for a runtime that hangs; until that is over the refs are held', async () => {
  const gate = join(root, 'gate');
  const deleting = join(root, 'deleting');
  execFileSync('mkfifo', [gate]);
  const { path } = (executor as OciExecutor).runtime;
  const script = `#!/bin/sh\ncase "$*" in *" delete "*) echo >${deleting}; read -r _ <${gate};; esac\nexec ${path} "$@"\n`;
  writeFileSync(join(root, 'runtime'), script, { mode: 0o755 });
  const runtime = { name: 'runc', path: join(root, 'runtime'), version: '0' } as const;
  await using slow = await createExecutor({ directory: join(root, 'exec-slow'), stateId, pools, runtime }, options);
  // Cache mounts are active ones, too.
  const held = () => state.snapshotter.list().filter(({ kind }) => kind === 'active').length;
  const before = held();
  const controller = new AbortController();
  const onLog = () => controller.abort(cancelledError('stop'));
  await expect(sh('echo; sleep 1000', { on: slow, signal: controller.signal, onLog })).rejects.toThrow('stop');
  expect(existsSync(deleting)).toBe(true);
  expect(held()).toBe(before + 1);
  await writeFile(gate, '\n');
  await afterwork.settled();
  expect(held()).toBe(before);
  expect(mountsBelow(join(root, 'exec-slow'))).toEqual([]);
});

test('no step left a cgroup', () => {
  expect(lifeCgroup(stateId).children()).toEqual([]);
});
