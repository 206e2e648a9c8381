import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelledError, HOUSE, neverAborted, newId } from '../../../base/index.ts';
import { unmount } from '../../../sys/index.ts';
import {
  type Container,
  createExecutor,
  EMPTY_META,
  type NetworkProvider,
  networksOf,
  type OciExecutor,
  type ProcessSpec,
} from '../index.ts';
import type { Runtime } from '../runtime.ts';
import { ExecutorWorld } from './executor-world.ts';
import { processSuite } from './process-suite.ts';

/** What every container holds to, whichever runtime it is of: one of them, many processes. */
export function containerSuite(runtime: Runtime): void {
  describe(`containers: ${runtime.name} ${runtime.version}`, () => {
    const options = { signal: neverAborted };
    let world: ExecutorWorld;
    let directory: string;
    let executor: OciExecutor;

    beforeAll(async () => {
      world = await ExecutorWorld.start('container', { processes: 40, memory: 100 << 20 }, runtime);
      ({ directory, executor } = world);
    });
    afterAll(() => world?.[Symbol.asyncDispose]());
    afterEach(() => world.expectNothingLeft());

    function create({
      network = 'none',
      on = executor,
    }: {
      network?: 'unset' | 'none';
      on?: OciExecutor;
    } = {}): Container {
      return on.container({
        id: newId(),
        root: { mounts: world.overlay().mounts, readonly: false },
        ...{ mounts: [], meta: EMPTY_META, network, security: 'sandbox', owner: HOUSE },
      });
    }

    function sh(script: string, more: Partial<ProcessSpec> & { readonly user?: string } = {}): ProcessSpec {
      const { user = '', ...rest } = more;
      return { meta: { ...EMPTY_META, args: ['/bin/sh', '-c', script], user }, stdin: false, ...rest };
    }

    /** Reads until `wanted` has been said. */
    async function until(stream: Readable, wanted: string): Promise<string> {
      let said = '';
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
        said += chunk;
        if (said.includes(wanted)) return said;
      }
      throw new Error(`it ended without ${JSON.stringify(wanted)}: ${JSON.stringify(said)}`);
    }

    async function output(container: Container, spec: ProcessSpec): Promise<string> {
      const process = await container.exec(spec, options);
      const [said, errors, { exitCode }] = await Promise.all([
        text(process.stdout),
        process.stderr === undefined ? '' : text(process.stderr),
        process.exited,
      ]);
      return `${said}${errors}[${exitCode}]`;
    }

    test('processes of one container share its files and processes, and are kept in alike', async () => {
      await using container = create();
      const look = 'grep -E "^(CapEff|CapBnd|Seccomp|NoNewPrivs)" /proc/self/status; unshare -r true 2>&1 | tail -n 1';
      const first = await container.start(sh(`${look}; echo shared > /file; echo; sleep 1000`), options);
      const own = await until(first.stdout, '\n\n');
      expect(own).toContain('Seccomp:\t2');
      expect(await output(container, sh(look))).toBe(`${own.trimEnd()}\n[0]`);
      expect(await output(container, sh('cat /file; grep -c sleep /proc/1/cmdline; exit 3'))).toBe('shared\n1\n[3]');
      expect(await output(container, sh('id -u; id -g; pwd', { user: 'builder' }))).toBe('1000\n1001\n/\n[0]');
      expect(await output(container, sh('', { meta: { ...EMPTY_META, args: ['/no/such'] } }))).toMatch(
        /\[(?!0\])\d+\]$/,
      );
      await expect(container.exec(sh('true', { user: 'nobody-here' }), options)).rejects.toThrow('unable to find user');
      // More than the container may have at once.
      const many = 'for n in $(seq 100); do sleep 5 & done';
      const crowd = await container.exec(sh(`(${many}); exit 9`), options);
      crowd.stdout.resume();
      crowd.stderr?.resume();
      expect((await crowd.exited).hit).toMatchObject({ kind: 'processes', limit: 40 });
    });

    describe.each(['the first', 'another'])('a process: %s', (which) => {
      let container: Container;
      beforeEach(() => {
        container = create();
      });
      afterEach(() => container[Symbol.asyncDispose]());
      processSuite(which, async () => {
        const echoing = sh('exec cat', { stdin: true });
        if (which === 'the first') return await container.start(echoing, options);
        await container.start(sh('sleep 1000'), options);
        return await container.exec(echoing, options);
      });
    });

    test('standard input is a pipe that ends, or nothing', async () => {
      await using container = create();
      const first = await container.start(sh('cat; echo over', { stdin: true }), options);
      const other = await container.exec(sh('cat > /got; wc -c < /got', { stdin: true }), options);
      other.stdin?.write(Buffer.alloc(300_000));
      other.stdin?.end();
      expect(await text(other.stdout)).toBe('300000\n');
      expect(await output(container, sh('cat; echo nothing'))).toBe('nothing\n[0]');
      first.stdin?.end('to the end\n');
      expect(await text(first.stdout)).toBe('to the end\nover\n');
      expect(await first.exited).toEqual({ exitCode: 0 });
    });

    test('a terminal has a size, which changes, and one stream', async () => {
      await using container = create();
      const tty = { rows: 30, columns: 100 };
      // The runtime gives a terminal its size just after it has started the process.
      const sized = 'until stty size 2>/dev/null | grep -v "^0 0"; do :; done';
      const script = `trap 'stty size' WINCH; test -t 0 && test -t 1 && test -t 2 && echo "$TERM"; ${sized}
    while true; do read -r line && echo "<$line>"; test "$line" = end && exit 7; done`;
      const first = await container.start(sh(script, { tty, stdin: true }), options);
      expect(first.stderr).toBeUndefined();
      expect(await until(first.stdout, '30 100')).toMatch(/^xterm\r\n/);
      const other = await container.exec(sh(`${sized}; cat`, { tty: { rows: 5, columns: 6 }, stdin: true }), options);
      await until(other.stdout, '5 6');
      first.resize({ rows: 31, columns: 101 });
      // The shell tells of the signal when it has read something, or at once.
      first.stdin?.write('line\n');
      const said = await until(first.stdout, '<line>');
      if (!said.includes('31 101')) await until(first.stdout, '31 101');
      other.stdin?.write('\u0004');
      expect((await other.exited).exitCode).toBe(0);
      first.stdin?.write('end\n');
      expect(await first.exited).toMatchObject({ exitCode: 7 });
    });

    test('many at once are each what was asked for, and leave nothing beside the first', async () => {
      await using container = create();
      const first = await container.start(sh('echo up; sleep 1000'), options);
      await until(first.stdout, 'up');
      const numbers = [0, 1, 2, 3];
      const round = async () => {
        const said = numbers.map((n) => output(container, sh(`echo ${n}; exit ${n}`, { stdin: n % 2 === 0 })));
        expect(await Promise.all(said)).toEqual(numbers.map((n) => `${n}\n[${n}]`));
      };
      const descriptors = () => readdirSync('/proc/self/fd').length;
      const bundle = readdirSync(join(directory, 'exec')).find((name) => name !== executor.runtime.name) ?? '';
      const files = () => readdirSync(join(directory, 'exec', bundle)).filter((name) => name.startsWith('process-'));
      // The first round starts threads.
      await round();
      const before = descriptors();
      for (let n = 0; n < 3; n++) await round();
      await expect.poll(files).toEqual(['process-0.log', 'process-0.pid']);
      await expect.poll(descriptors).toBeLessThanOrEqual(before);
    });

    test('a signal reaches the process that it is for', async () => {
      await using container = create();
      const trap = `trap 'echo got it; exit 4' TERM; echo ready; while true; do sleep 0.1; done`;
      const first = await container.start(sh(trap), options);
      const other = await container.exec(sh(trap), options);
      const third = await container.exec(sh(trap), options);
      await until(other.stdout, 'ready');
      await other.signal('SIGTERM');
      await until(other.stdout, 'got it');
      expect(await other.exited).toMatchObject({ exitCode: 4 });
      await third.signal('SIGKILL');
      expect(await third.exited).toMatchObject({ exitCode: 137 });
      await until(first.stdout, 'ready');
      await first.signal('SIGTERM');
      expect(await first.exited).toMatchObject({ exitCode: 4 });
      // To one that is over: nothing.
      await first.signal('SIGKILL');
    });

    test('with the first process all others end, and no more can be started', async () => {
      await using container = create();
      const first = await container.start(sh('read -r line', { stdin: true }), options);
      const other = await container.exec(sh('echo there; sleep 1000'), options);
      await until(other.stdout, 'there');
      first.stdin?.end('\n');
      expect(await first.exited).toEqual({ exitCode: 0 });
      expect((await other.exited).exitCode).toBe(137);
      await expect(container.exec(sh('true'), options)).rejects.toMatchObject({ code: 'failed_precondition' });
    });

    describe.each(['host', 'none', 'a namespace of its own', 'a provider that fails'])('a network: %s', (kind) => {
      /** One that makes a namespace for each container, and counts them. */
      function counting() {
        const given: string[] = [];
        const taken: string[] = [];
        const own: NetworkProvider = {
          name: 'own',
          acquire: async ({ id }) => {
            if (kind === 'a provider that fails') throw new Error('no address left');
            const path = join(directory, `net-${id}`);
            writeFileSync(path, '');
            execFileSync('unshare', [`--net=${path}`, 'true']);
            given.push(statSync(path).ino.toString());
            return {
              access: { namespace: { path }, rawSockets: true, vsock: false },
              [Symbol.asyncDispose]: async () => {
                unmount(path);
                taken.push(id);
              },
            };
          },
        };
        return { given, taken, own };
      }
      const ends: readonly ('runs' | 'is cancelled' | 'cannot run')[] = ['runs', 'is cancelled', 'cannot run'];

      test.each(ends)('is there as long as a container that %s', async (end) => {
        const { given, taken, own } = counting();
        const networks = kind === 'host' || kind === 'none' ? networksOf(kind) : { ...networksOf('none'), unset: own };
        const more = { stateId: `${world.stateId}n`, pools: world.pools, networks, runtime };
        await using others = await createExecutor({ directory: join(directory, 'networks'), ...more }, options);
        await using container = create({ network: 'unset', on: others });
        const script =
          end === 'cannot run'
            ? { args: ['/no/such'] }
            : { args: ['/bin/sh', '-c', 'ls -iL /proc/self/ns/net; sleep 9'] };
        const starting = container.start({ meta: { ...EMPTY_META, ...script }, stdin: false }, options);
        if (kind === 'a provider that fails') {
          await expect(starting).rejects.toThrow('no address left');
          return;
        }
        const process = await starting;
        if (end === 'cannot run') expect((await process.exited).exitCode).not.toBe(0);
        else {
          const seen = (await until(process.stdout, '\n')).trim().split(' ')[0];
          const builders = statSync('/proc/self/ns/net').ino.toString();
          if (kind === 'host') expect(seen).toBe(builders);
          else if (kind === 'none') expect(seen).not.toBe(builders);
          else expect([seen]).toEqual(given);
        }
        expect(taken).toEqual([]);
        if (end === 'runs') await process.signal('SIGKILL').then(() => process.exited);
        await container[Symbol.asyncDispose]();
        expect(taken).toHaveLength(given.length);
      });
    });

    test('disposing ends all, also what has just been started, and what was never started needs none', async () => {
      for (const early of [true, false]) {
        await using container = create();
        const first = await container.start(sh('trap "" TERM; setsid sleep 999 & echo there; sleep 1000'), options);
        if (!early) await until(first.stdout, 'there');
        const other = early ? undefined : await container.exec(sh('sleep 1000'), options);
        await container[Symbol.asyncDispose]();
        await first.exited;
        await other?.exited;
        await expect(container.exec(sh('true'), options)).rejects.toMatchObject({ code: 'failed_precondition' });
      }
      await using _never = create();
      await using refused = create();
      const gone = new AbortController();
      gone.abort(cancelledError('stop'));
      await expect(refused.start(sh('true'), { signal: gone.signal })).rejects.toThrow('stop');
    });
  });
}
