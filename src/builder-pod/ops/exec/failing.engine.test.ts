import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Afterwork, cancelledError, HOUSE, neverAborted, newId } from '../../../base/index.ts';
import { ContentHasher } from '../../../cache/contenthash/index.ts';
import type { ImmutableRef } from '../../../cache/ports.ts';
import { refResult } from '../../../cache/refs/index.ts';
import { makeRef } from '../../../cache/testing/make-ref.ts';
import { openTestState } from '../../../cache/testing/open-state.ts';
import type { ExecMount, ExecOp } from '../../../llb/index.ts';
import type { OpContext } from '../../../solver/ports.ts';
import { lifeCgroup, mountsBelow, sweep } from '../../../sys/index.ts';
import { createExecutor, EMPTY_META, type OciExecutor } from '../../executor/index.ts';
import { makeBusyboxRoot } from '../../executor/testing/busybox.ts';
import type { SourceSecrets } from '../../sources/index.ts';
import { noSecrets } from '../../sources/testing/no-secrets.ts';
import { execOp } from './exec-op.ts';
import { execMount as mount } from './testing/exec-mount.ts';

/** Whatever a step fails of, fifty times over, nothing of it is left. */
const REPEATS = 50;
const AT_ONCE = 10;
/** Sockets and pipes of earlier steps close in their own time. */
const SOME_DESCRIPTORS = 15;
const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const stateId = `test-${newId()}`;
let state: Awaited<ReturnType<typeof openTestState>>;
let root: string;
let base: ImmutableRef;
let linked: ImmutableRef;
const afterwork = new Afterwork();
/** The one that works, one whose runtime cannot be started, one whose runtime fails, one without its filter profile. */
const executors = new Map<string, OciExecutor>();

/** As runc is when it is killed just after its start: called as `--root STATE ... ID`. */
const DYING_RUNTIME = `#!/bin/sh
state=$2; for id; do :; done
mkdir "$state/$id"; : >"$state/$id/program"; mount --bind /bin/true "$state/$id/program"
kill -KILL $$
`;

beforeAll(async () => {
  state = await openTestState();
  root = join(state.layout.mounts, '..');
  const { pools } = state;
  const limits = { processes: 40, memory: 30 << 20 };
  const create = async (name: string, more: object = {}) => {
    executors.set(
      name,
      await createExecutor({ directory: join(root, `exec-${name}`), stateId, pools, limits, ...more }, options),
    );
  };
  await create('good');
  const runtime = (path: string) => ({ runtime: { name: 'runc', path, version: '0' } });
  await create('no-runtime', runtime('/nowhere/runc'));
  await create('failing-runtime', runtime('/bin/false'));
  const dying = join(root, 'dying-runtime');
  writeFileSync(dying, DYING_RUNTIME, { mode: 0o755 });
  await create('dying-runtime', runtime(dying));
  await create('no-profile', { seccompProfile: '/nowhere/seccomp.json' });
  base = await makeRef(state, undefined, (directory) => {
    makeBusyboxRoot(directory);
    writeFileSync(join(directory, 'file'), '');
  });
  linked = await makeRef(state, undefined, (directory) => symlinkSync('/tmp', join(directory, 'dev')));
});
afterAll(async () => {
  await linked?.release();
  await base?.release();
  for (const executor of executors.values()) await executor[Symbol.asyncDispose]();
  await sweep({ stateId, directory: root });
  await state?.[Symbol.asyncDispose]();
});

interface Case {
  readonly script?: string;
  readonly meta?: Partial<ExecOp['meta']>;
  readonly mounts?: readonly ExecMount[];
  readonly exec?: Partial<ExecOp>;
  readonly secrets?: Partial<SourceSecrets>;
  readonly executor?: string;
  readonly input?: () => ImmutableRef;
  /** Milliseconds until it is cancelled, of the nth time. */
  readonly cancelledAfter?: (n: number) => number;
}

const secret = mount('/run/secrets/s', -1, {
  type: 'secret',
  secret: { id: 's', uid: 0, gid: 0, mode: 0o400, optional: false },
});
const ssh = mount('/run/ssh', -1, { type: 'ssh', ssh: { id: 'a', uid: 0, gid: 0, mode: 0o600, optional: false } });
const cache = mount('/cache', -1, { type: 'cache', cache: { id: 'c', sharing: 'shared' } });
const tmpfs = mount('/memory', -1, { type: 'tmpfs' });
const all = [cache, tmpfs, mount('/made', -1), mount('/seen', 0, { readonly: true })];

const CASES: Readonly<Record<string, Case>> = {
  'an exit code': { script: 'exit 3', mounts: all },
  'a missing program': { meta: { args: ['/no/such/program'] }, mounts: all },
  'a program that is none': { meta: { args: ['/file'] } },
  'an unknown user': { meta: { user: 'nobody-here' }, mounts: all },
  'a directory that is a file': { meta: { cwd: '/file' }, mounts: all },
  'a cgroup that is none': { meta: { cgroupParent: '../up' }, mounts: all },
  'a bad host': { meta: { extraHosts: [{ host: 'a b', ip: '1' }] }, mounts: all },
  'a missing mount source': { mounts: [...all, mount('/x', 0, { selector: '/no/such' })] },
  'a mount below a file': { mounts: [...all, mount('/file/x', -1)] },
  'a mount on a file': { mounts: [...all, mount('/file', -1)] },
  'a mount on the root': { mounts: [...all, mount('/../', -1, { type: 'tmpfs' })] },
  'a mount on /proc': { mounts: [...all, mount('/proc', -1)] },
  'a root with a link for /dev': { input: () => linked, mounts: all },
  'a missing secret': { mounts: [...all, secret] },
  'a client that fails': {
    mounts: [...all, secret],
    secrets: { secret: () => Promise.reject(new Error('gone')) },
  },
  'a missing agent': { mounts: [...all, ssh] },
  'an unknown kind of mount': { mounts: [...all, mount('/x', -1, { type: 'nonsense' as 'bind' })] },
  'an output that no mount makes': { exec: { mounts: [mount('/', 0, { output: 1 })] } },
  'too many processes': { script: 'for i in $(seq 60); do sleep 100 & done; wait', mounts: all },
  'too little memory': { script: 'dd if=/dev/zero of=/dev/null bs=40M count=1', mounts: all },
  'no runtime': { executor: 'no-runtime', mounts: all },
  'a runtime that fails': { executor: 'failing-runtime', mounts: all },
  'a runtime that is killed while its own program is mounted': { executor: 'dying-runtime', mounts: all },
  'no filter profile': { executor: 'no-profile', mounts: all },
  'cancelled at any time': {
    script: 'sleep 100 & setsid sleep 100 & sleep 100',
    mounts: all,
    cancelledAfter: (n) => n * 4,
  },
  'cancelled while it waits for a client': {
    mounts: [...all, secret],
    secrets: { secret: (_id, _sessions, { signal }) => delay(100_000, undefined, { signal }) },
    cancelledAfter: () => 20,
  },
};

async function fail(
  { script = 'true', meta, mounts = [], exec = {}, secrets = {}, executor = 'good', input, cancelledAfter }: Case,
  n: number,
): Promise<unknown> {
  const controller = new AbortController();
  const context: OpContext = {
    ...{ signal: controller.signal, owner: HOUSE, sessions: () => ['s1'], limits: () => ({}), scope: 'test' },
    progress: { status: () => {}, warn: () => {}, log: () => {} },
  };
  const op = execOp(
    {
      meta: { ...EMPTY_META, args: ['/bin/sh', '-c', script], ...meta },
      mounts: [mount('/', 0, { output: 0 }), ...mounts],
      ...{ network: 'none', security: 'sandbox', secretEnv: [], cdiDevices: [] },
      ...exec,
    },
    { os: 'linux', architecture: 'amd64' },
    1,
    {
      ...{ refs: state.refs, secrets: { ...noSecrets, ...secrets }, resultOf: refResult },
      afterwork,
      executor: executors.get(executor) as OciExecutor,
      hasher: new ContentHasher({ pool: state.pools.bulk }),
    },
  );
  const timer =
    cancelledAfter === undefined ? undefined : setTimeout(() => controller.abort(cancelledError()), cancelledAfter(n));
  try {
    await op.exec([refResult((input ?? (() => base))())], context);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
  }
}

const openDescriptors = () => readdirSync('/proc/self/fd').length;

/** All that a step could leave behind. */
function left() {
  const life = lifeCgroup(stateId);
  const tables = ['refs', 'named_refs', 'leases'] as const;
  return {
    mounts: mountsBelow(root).map(({ target }) => target),
    groups: life.children(),
    processes: life.pids(),
    snapshots: state.snapshotter.list().length,
    rows: tables.map((table) => state.db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n),
    directories: [...executors.keys()].map((name) => readdirSync(join(root, `exec-${name}`))),
    containers: [...executors.values()].map(({ runtime }, at) =>
      readdirSync(join(root, `exec-${[...executors.keys()][at]}`, runtime.name)),
    ),
  };
}

test.each(Object.entries(CASES))('%s', async (_name, failing) => {
  // What the first one opens for good: threads, the cache mount.
  await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => fail(failing, n)));
  const before = left();
  const descriptors = openDescriptors();
  for (let n = 0; n < REPEATS; n += AT_ONCE) {
    const errors = await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => fail(failing, n + at)));
    for (const error of errors) expect(error).toBeDefined();
  }
  expect(left()).toEqual(before);
  expect(openDescriptors()).toBeLessThan(descriptors + SOME_DESCRIPTORS);
  expect(before.groups).toEqual([]);
});

test('and the next step works', async () => {
  mkdirSync(join(root, 'tmp'), { recursive: true });
  expect(await fail({ script: 'touch /cache/x', mounts: all }, 0)).toBeUndefined();
});
