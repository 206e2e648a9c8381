import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openBuilderClient } from '../src/builder-api/client/index.ts';
import { startBuilder } from './support/builder.ts';
import { makeAuthority } from './support/certificates.ts';
import { BASE, dockerfileArgs, makeContext, steps } from './support/context.ts';
import { leftovers } from './support/leftovers.ts';
import { buildctl } from './support/paths.ts';
import { freePort } from './support/ports.ts';
import { run } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/** A connection that says `first` and holds on, also when the other side has said goodbye. */
async function cling(where: NetConnectOpts, first = ''): Promise<Socket> {
  const socket = connect({ ...where, allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (first !== '') socket.write(first);
  return socket;
}

describe('the life of a daemon', () => {
  const work = tempFolder('daemon-life');
  afterAll(() => work[Symbol.dispose]());
  const folder = (name: string) => path.dirname(makeContext(path.join(work.path, name, 'context'), {}));

  test('TCP with mutual TLS: a client of the authority builds, none and others are refused', async () => {
    const at = folder('tls');
    const authority = await makeAuthority(at, 'ours');
    const stranger = await makeAuthority(at, 'theirs');
    const server = await authority.issue('builder', { names: ['localhost', '127.0.0.1'] });
    const good = await authority.issue('client');
    const bad = await stranger.issue('client');
    const address = `tcp://127.0.0.1:${await freePort()}`;
    await using _builder = await startBuilder(at, [
      ...['--addr', address, '--tlscert', server.cert, '--tlskey', server.key, '--tlscacert', authority.cert],
    ]);
    makeContext(path.join(at, 'context'), { Dockerfile: 'FROM scratch\nCOPY a.txt /\n', 'a.txt': 'over tls\n' });
    const client = (args: readonly string[], ca = authority.cert, own: typeof good | 'none' = good) =>
      run(buildctl, [
        ...['--addr', address, '--tlscacert', ca, '--tlsservername', 'localhost', '--timeout', '10'],
        ...(own === 'none' ? [] : ['--tlscert', own.cert, '--tlskey', own.key]),
        ...args,
      ]);
    const out = path.join(at, 'out');
    const built = await client(dockerfileArgs(path.join(at, 'context'), ['--output', `type=local,dest=${out}`]));
    expect(built.code, built.output).toBe(0);
    expect(existsSync(path.join(out, 'a.txt'))).toBe(true);
    expect((await client(['debug', 'workers'])).code).toBe(0);

    const refused = async (ran: Promise<{ code: number | null; output: string }>) => {
      const { code, output } = await ran;
      expect(code, output).not.toBe(0);
      return output;
    };
    await refused(client(['debug', 'workers'], authority.cert, 'none'));
    await refused(client(['debug', 'workers'], authority.cert, bad));
    expect(await refused(client(['debug', 'workers'], stranger.cert))).toMatch(/certificate|authority/);
    await refused(run(buildctl, ['--addr', address, 'debug', 'workers']));
    const stale = await authority.issue('client', { days: -1 });
    await refused(client(['debug', 'workers'], authority.cert, stale));
    // No call of any service is open to them: neither what others build, nor their sessions, nor an operator's solves.
    for (const own of [undefined, bad, stale]) {
      const tls = { ca: authority.cert, serverName: 'localhost', ...own };
      await using stranger = openBuilderClient(address, tls);
      const options = { signal: AbortSignal.timeout(20_000), timeoutMs: 5000 };
      const id = { runUid: 'a', attempt: 1 };
      const all = async (messages: AsyncIterable<unknown>) => {
        for await (const _ of messages) throw new Error('answered');
      };
      for (const call of [
        stranger.control.solve({ ref: 'x' }, options),
        all(stranger.control.status({ ref: 'x' }, options)),
        all(stranger.control.listenBuildHistory({}, options)),
        stranger.gateway.resolveImageConfig({ ref: 'x' }, options),
        all(stranger.builder.attach({ id }, options)),
        stranger.builder.result({ id }, options),
        stranger.builder.cancel({ id }, options),
        stranger.hostSession({ signal: options.signal, register: () => {} }).ended,
      ])
        await expect(call).rejects.toMatchObject({ code: expect.stringMatching(/unavailable|deadline_exceeded/) });
    }
    // Nobody who was refused did any harm.
    expect((await client(['debug', 'workers'])).code).toBe(0);
  });

  test('a certificate that is not there and a flag that is none are named, and nothing is started', async () => {
    const at = folder('half');
    const start = (flags: readonly string[]) => startBuilder(at, flags);
    await expect(start(['--tlscert', '/nonexistent.pem', '--tlskey', '/nonexistent.key'])).rejects.toThrow(
      /nonexistent\.pem/,
    );
    await expect(start(['--no-such-flag'])).rejects.toThrow(/no-such-flag/);
  });

  test('SIGTERM ends it in mid-build, its steps and its mounts, whoever holds on; what was finished is there in the next life', async () => {
    const at = folder('term');
    const asleep = `sleep 4${process.pid}`;
    const context = makeContext(path.join(at, 'context'), {
      Dockerfile: `${BASE}FROM base\nRUN echo kept > /kept\nRUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t echo begun; ${asleep}\n`,
    });
    const builder = await startBuilder(at, ['--embedded-registry', '127.0.0.1:0']);
    const [host = '', port = ''] = readFileSync(path.join(builder.root, 'registry-address'), 'utf8').trim().split(':');
    const socket = { path: builder.address.slice('unix://'.length) };
    const registry = { host, port: Number(port) };
    const clingers = await Promise.all([
      cling(socket),
      cling(socket, 'PRI * HTTP/2.0\r\n'),
      cling(registry),
      cling(registry, 'GET /v2/ HTTP/1.1\r\n'),
      cling(registry, 'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n'),
    ]);
    const begun = Promise.withResolvers<void>();
    const building = builder.buildctl(dockerfileArgs(context), {
      onOutput: (output) => {
        if (/ begun\n/.test(output)) begun.resolve();
      },
    });
    await begun.promise;
    expect(await builder.stop('SIGTERM')).toBe(0);
    const ended = await building;
    expect(ended.code).not.toBe(0);
    expect(ended.output).toContain('the builder is stopping');
    for (const clinger of clingers) clinger.destroy();
    expect(leftovers(builder.root)).toEqual([]);
    expect((await run('pgrep', ['-f', asleep])).code).toBe(1);

    writeFileSync(path.join(context, 'Dockerfile'), `${BASE}FROM base\nRUN echo kept > /kept\n`);
    await using next = await startBuilder(at);
    const { code, output } = await next.buildctl(dockerfileArgs(context));
    expect(code, output).toBe(0);
    expect(steps(output).ran).toEqual([]);
  });

  test('three side by side, each with its own cache, none in the way of the others', async () => {
    const context = makeContext(path.join(work.path, 'shared-context'), {
      Dockerfile: `${BASE}FROM base\nRUN --mount=type=cache,target=/c echo x >> /c/runs; wc -l < /c/runs > /count\n`,
    });
    await using stack = new AsyncDisposableStack();
    const builders = [];
    for (const name of ['one', 'two', 'three']) builders.push(stack.use(await startBuilder(folder(name))));
    const built = await Promise.all(builders.map((builder) => builder.buildctl(dockerfileArgs(context))));
    for (const { code, output } of built) {
      expect(code, output).toBe(0);
      expect(steps(output).cached).toEqual([]);
    }
    const [first, second, third] = builders as [(typeof builders)[0], (typeof builders)[0], (typeof builders)[0]];
    expect(await first.stop()).toBe(0);
    await second.stop('SIGKILL');
    const { code, output } = await third.buildctl(dockerfileArgs(context));
    expect(code, output).toBe(0);
    expect(steps(output).ran).toEqual([]);
  });
});
