import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CodedError, newId, neverAborted as signal } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient, registerSessionServices } from '../../builder-api/client/index.ts';
import { BUILD_ID_METADATA, Metadata, type wire } from '../../builder-api/index.ts';
import { encodeDefinition, FileActions, local, type State } from '../../llb/index.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import { openExecStream } from './testing/exec-stream.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** What a failed step leaves, as a debugger outside looks into it: on the real daemon and on ours. */
type Mount = wire.pb.Mount.$Properties;

/** Of `errdefs.Solve`, as far as debuggers read it. */
interface Told {
  readonly inputIDs?: readonly string[];
  readonly mountIDs?: readonly string[];
  readonly op?: { readonly exec?: { readonly mounts: readonly ToldMount[] } };
  readonly file?: object;
  readonly cache?: object;
  readonly description?: object;
}
interface ToldMount {
  readonly dest: string;
  readonly selector?: string;
  readonly readonly?: boolean;
  readonly mountType?: string | number;
}

const temp = mkdtempSync(join(tmpdir(), 'slipway-failed-'));
const rootfs = join(temp, 'rootfs');
const stack = new AsyncDisposableStack();
stack.defer(() => rmSync(temp, { recursive: true, force: true }));
const daemons = [new TestDaemon(temp, 'real', REAL), new TestDaemon(temp, 'ours', OURS)] as const;
stack.defer(async () => void (await Promise.all(daemons.map((daemon) => daemon.stop()))));
let clients: readonly BuilderClient[];

beforeAll(async () => {
  mkdirSync(rootfs);
  makeBusyboxRoot(rootfs);
  await Promise.all(daemons.map((daemon) => daemon.ready()));
  clients = daemons.map(({ address }) => stack.use(openBuilderClient(address)));
});
afterAll(() => stack.disposeAsync());

/** A build that this process drives. */
async function build(client: BuilderClient) {
  const session = stack.use(
    client.hostSession({
      signal,
      register: (server) =>
        registerSessionServices(server, { folders: new Map([['rootfs', rootfs]]), secrets: new Map() }),
    }),
  );
  const ref = newId();
  const solving = client.control.solve({ ref, session: session.id }, { signal });
  solving.catch(() => {});
  const options = { signal, metadata: new Metadata().add(BUILD_ID_METADATA, ref) };
  await client.gateway.ping({}, options);
  const solve = (state: State) =>
    client.gateway.solve(
      { definition: encodeDefinition(state.marshal()), evaluate: true, allowResultReturn: true },
      options,
    );
  return {
    base: local('rootfs', { sessionId: session.id }),
    options,
    solving,
    async failureOf(state: State): Promise<Told> {
      const error: unknown = await solve(state).then(
        () => new Error('it was built'),
        (reason: unknown) => reason,
      );
      const detail = error instanceof CodedError && error.details.find(({ type }) => type === 'errdefs.Solve');
      if (!detail) throw error;
      return detail.value as Told;
    },
    /** What a script prints in a container on these mounts. */
    async run(script: string, mounts: readonly Mount[]): Promise<string> {
      const containerId = newId();
      await client.gateway.newContainer({ containerId, mounts: [...mounts] }, options);
      const stream = openExecStream(client.gateway, options);
      stream.ended.catch(() => {});
      const process = stream.start({
        ...{ containerId, fds: [1, 2] },
        meta: { args: ['/bin/sh', '-c', script], cwd: '/' },
      });
      await process.done;
      stream.end();
      await client.gateway.releaseContainer({ containerId }, options);
      return process.said();
    },
    async end(): Promise<void> {
      await client.gateway.return({ result: {} }, options);
      await solving;
    },
  };
}

/** As a debugger mounts it: each of the step's mounts with what it had (`inputIDs`), or with what became of it (`mountIDs`). */
function mountsOf({ op, ...ids }: Told, which: 'inputIDs' | 'mountIDs'): Mount[] {
  return (op?.exec?.mounts ?? []).flatMap(({ dest, selector = '', readonly = false, mountType = 0 }, at) =>
    mountType === 0 || mountType === 'BIND' ? [{ dest, selector, readonly, resultId: ids[which]?.[at] ?? '' }] : [],
  );
}

/** Enums as numbers or names, and members that a reader does not tell from those that are missing. */
function plain(value: unknown): unknown {
  const enums = ['BIND', 'SECRET', 'SSH', 'CACHE', 'TMPFS'];
  const text = JSON.stringify(value, (key, member) => {
    if (key === 'mountType') return typeof member === 'string' ? enums.indexOf(member) : member;
    if (key === 'sharing') return member === 'LOCKED' ? 2 : member;
    // The real daemon names its own platform where an op names none.
    if (key === 'platform' || key === 'digest' || key === 'inputIDs' || key === 'mountIDs') return undefined;
    return member === '' || member === false ? undefined : member;
  });
  return JSON.parse(text);
}

const given = (ids: readonly string[] = []) => ids.map((id) => id !== '');

test('of a step that ran: its mounts as they were, and as it left them', async () => {
  const both = await Promise.all(
    clients.map(async (client) => {
      const { base, failureOf, run, end } = await build(client);
      const failed = base.file(new FileActions().mkdir('/out', 0o755)).run({
        args: [
          '/bin/sh',
          '-c',
          'echo left > /left; echo in > /out/x; echo gone > /thrown/x; echo c > /cache/x; exit 7',
        ],
        mounts: [
          { target: '/out' },
          { target: '/thrown', source: base, noOutput: true },
          { target: '/given', source: base, readonly: true },
          { target: '/cache', cache: { id: newId(), sharing: 'locked' } },
          { target: '/tmpfs', tmpfs: {} },
        ],
      }).root;
      const told = await failureOf(failed);
      // One stream, so that what comes of both comes in order.
      const look = 'exec 2>&1; cat /left /out/x /thrown/x; ls /given/bin | head -n 1';
      const said = {
        after: await run(look, mountsOf(told, 'mountIDs')),
        before: await run(look, mountsOf(told, 'inputIDs')),
        // Looking changes nothing.
        again: await run(`echo > /left; ${look}`, mountsOf(told, 'mountIDs')),
        anew: await run(look, mountsOf(told, 'mountIDs')),
      };
      await end();
      const { inputIDs, mountIDs } = told;
      return { said, ids: [given(inputIDs), given(mountIDs)], told: plain({ ...told, op: withoutCacheId(told.op) }) };
    }),
  );
  expect(both[1]).toEqual(both[0]);
  expect(both[1]!.said.after).toMatch(/^left\nin\ngone\n.+\n$/);
  expect(both[1]!.said.before).toContain("can't open '/left'");
});

test('of an action, and of content that is not there', async () => {
  const both = await Promise.all(
    clients.map(async (client) => {
      const { base, failureOf, run, end } = await build(client);
      const action = await failureOf(
        base.file(new FileActions().mkfile('/made', 0o644, Buffer.from('made\n')).rm('/no')),
      );
      const content = await failureOf(base.file(new FileActions().copy(base, '/not-there', '/x')));
      const on = (resultId = '') => [{ dest: '/', resultId }];
      const said = [
        await run('cat /made; true', on(action.mountIDs?.[1])),
        await run('cat /made; true', on(action.inputIDs?.[0])),
        await run('ls /bin | head -n 1', on(content.inputIDs?.[0])),
      ];
      await end();
      const ids = [action, content].map(({ inputIDs, mountIDs }) => [given(inputIDs), given(mountIDs)]);
      return { said, ids, told: plain([action, content]) };
    }),
  );
  expect(both[1]).toEqual(both[0]);
  expect(both[1]!.said[0]).toBe('made\n');
});

test('goes with the build', async () => {
  const client = clients[1]!;
  const records = async () => (await client.control.diskUsage({}, { signal })).record?.length;
  const fail = (base: State) => base.run({ args: ['/bin/sh', '-c', `echo ${newId()} > /left; exit 1`] }).root;
  const first = await build(client);
  await first.run('true', [{ dest: '/', resultId: await idOf(first) }]);
  const before = await records();
  const told = await first.failureOf(fail(first.base));
  expect(await records()).toBe(before! + 1);
  await first.end();
  expect(await records()).toBe(before);
  const second = await build(client);
  await expect(second.run('true', mountsOf(told, 'mountIDs'))).rejects.toThrow('failed to find ref');
  await second.end();
});

async function idOf({ base, options }: Awaited<ReturnType<typeof build>>): Promise<string> {
  const definition = encodeDefinition(base.marshal());
  const { result } = await clients[1]!.gateway.solve({ definition, evaluate: true, allowResultReturn: true }, options);
  return result?.ref?.id ?? '';
}

function withoutCacheId(op: Told['op']): unknown {
  return JSON.parse(JSON.stringify(op ?? {}, (key, value) => (key === 'cacheOpt' ? { ...value, ID: '' } : value)));
}
