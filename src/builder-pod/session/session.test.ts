import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { CodedError, neverAborted } from '../../base/index.ts';
import { registerSessionServices } from '../../builder-api/client/index.ts';
import {
  Auth,
  type ConnectionChannel,
  FileSend,
  type GrpcServer,
  type HostedSession,
  hostSession,
  methodPath,
  Secrets,
  serveExports,
} from '../../builder-api/index.ts';
import { startSessionDaemon } from '../../builder-api/testing/session-daemon.ts';
import { FileSender, heldCredentials, SecretProvider, SessionCredentials, withAnySession } from './index.ts';

const signal = neverAborted;
const cleanups: (() => PromiseLike<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'session-'));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** A registry, and a way to join it with what `register` serves. */
async function daemon(options?: Parameters<typeof startSessionDaemon>[0]) {
  const started = await startSessionDaemon(options);
  cleanups.push(() => started[Symbol.asyncDispose]());
  const hosted: { readonly channel: ConnectionChannel; readonly session: HostedSession }[] = [];
  const join_ = (register: (server: GrpcServer) => void, id?: string): string => {
    const channel = started.connect();
    const session = hostSession(channel, { signal, register, ...(id === undefined ? {} : { id }) });
    hosted.push({ channel, session });
    cleanups.push(
      () => channel.destroy(),
      () => session[Symbol.asyncDispose](),
    );
    return session.id;
  };
  return { registry: started.registry, join: join_, hosted };
}

describe('a logical session', () => {
  const serving = (value: string | Promise<never>) => (server: GrpcServer) =>
    server.register(Secrets, {
      getSecret: async () => ({ data: Buffer.from(await value) }),
    });

  test('cut in a call is waited for, and the call made again; others are asked meanwhile', async () => {
    const { registry, join, hosted } = await daemon();
    using _declared = registry.declareLogical('solve');
    const secrets = new SecretProvider(registry);
    join(serving(new Promise(() => {})), 'solve');
    const asked = secrets.get('token', () => ['solve'], { signal });
    await registry.get('solve', { signal });
    await delay(50);
    hosted[0]!.channel.destroy();
    await delay(50);
    const other = join(serving('of another'));
    const shared = secrets.get('token', () => ['solve', other], { signal });
    expect(Buffer.from((await shared)!).toString()).toBe('of another');
    join(serving('come back'), 'solve');
    expect(Buffer.from((await asked)!).toString()).toBe('come back');
  });

  test("that does not come back within its grace is the platform's failure, told at once the next time", async () => {
    const { registry } = await daemon({ logicalGraceMs: 50 });
    using _declared = registry.declareLogical('solve');
    const secrets = new SecretProvider(registry);
    const failed = { code: 'unavailable', reason: 'NO_SESSION', fault: 'infrastructure' };
    await expect(secrets.get('token', () => ['solve'], { signal })).rejects.toMatchObject(failed);
    await expect(secrets.get('token', () => ['solve'], { signal })).rejects.toMatchObject(failed);
  });

  test('is taken over by a newer connection; one that is not logical is not', async () => {
    const { registry, join, hosted } = await daemon();
    join(serving('old'), 'solve');
    await registry.get('solve', { signal });
    join(serving('refused'), 'solve');
    await expect(hosted[1]!.session.ended).rejects.toMatchObject({ code: 'already_exists' });
    using _declared = registry.declareLogical('solve');
    join(serving('new'), 'solve');
    await hosted[0]!.session.ended.catch(() => {});
    const value = await new SecretProvider(registry).get('token', () => ['solve'], { signal });
    expect(Buffer.from(value!).toString()).toBe('new');
  });
});

test('secrets: the first client that has it answers; absent and too large are told apart', async () => {
  const { registry, join } = await daemon();
  const serve = (values: Record<string, Buffer>) => (server: GrpcServer) =>
    server.register(Secrets, {
      getSecret: ({ id }) => {
        const data = values[id];
        if (data === undefined) throw new CodedError('not_found', 'no such secret');
        return { data };
      },
    });
  const without = join(() => {});
  const one = join(serve({ a: Buffer.from('1') }));
  const two = join(serve({ a: Buffer.from('2'), b: Buffer.alloc(0), big: Buffer.alloc(512_001) }));
  const secrets = new SecretProvider(registry);
  const all = () => [without, one, two];
  expect(Buffer.from((await secrets.get('a', all, { signal }))!).toString()).toBe('1');
  expect(await secrets.get('b', all, { signal })).toHaveLength(0);
  expect(await secrets.get('c', all, { signal })).toBeUndefined();
  await expect(secrets.require('c', all, { signal })).rejects.toMatchObject({
    code: 'not_found',
    reason: 'SECRET_MISSING',
  });
  await expect(secrets.get('big', () => [two], { signal })).rejects.toMatchObject({ code: 'resource_exhausted' });
  await expect(secrets.get('a', () => [], { signal })).rejects.toMatchObject({ reason: 'NO_SESSION' });
});

test('what several builds share goes on with the next client when one leaves', async () => {
  const { registry, join } = await daemon();
  const ids = [join(() => {}), join(() => {})];
  const tried: string[] = [];
  const result = await withAnySession(
    registry,
    () => ids,
    async (session) => {
      tried.push(session.id);
      if (tried.length === 1) throw new CodedError('unavailable', 'left');
      return 'done';
    },
    { signal },
  );
  expect(result).toBe('done');
  expect(tried).toEqual(ids);
});

test('a client with a token authority is asked for tokens, and only once it proved its key', async () => {
  const { registry, join } = await daemon();
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const other = generateKeyPairSync('ed25519').privateKey;
  const serve = (key: typeof privateKey) => (server: GrpcServer) =>
    server.register(Auth, {
      credentials: () => ({ username: '', secret: 'refresh' }),
      getTokenAuthority: () => ({ publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32) }),
      verifyTokenAuthority: ({ payload }) => ({ signed: Buffer.concat([sign(null, payload, key), payload]) }),
      fetchToken: ({ scopes, clientId }) => ({ token: `${clientId} ${scopes.join()}`, expiresIn: 300 }),
    });
  const request = { host: 'h', realm: 'https://h/token', service: 's', scopes: ['repository:x:pull'] };
  const honest = join(serve(privateKey));
  const token = await new SessionCredentials(registry, () => [honest]).fetchToken(request, { signal });
  expect(token).toEqual({ token: 'buildkit-client repository:x:pull', expiresIn: 300, issuedAt: 0 });
  const liar = join(serve(other));
  const credentials = new SessionCredentials(registry, () => [liar]);
  expect(await credentials.fetchToken(request, { signal })).toBeUndefined();
  expect(await credentials.credentials('h', { signal })).toEqual({ kind: 'identity-token', token: 'refresh' });
});

test('a repository with credentials of its own is shown these, and no other is; who has none there shows none', async () => {
  const { registry, join } = await daemon();
  const asked: string[] = [];
  const id = join((server) =>
    registerSessionServices(server, {
      secrets: new Map(),
      credentials: async () => ({ kind: 'basic', username: 'user', secret: 'of the host' }),
      ofRepository: async (host, repository) => {
        asked.push(`${host}/${repository}`);
        if (repository === 'cache/open') return { kind: 'anonymous' };
        return repository === 'cache/team' ? { kind: 'basic', username: 'cache', secret: 'own' } : undefined;
      },
    }),
  );
  const provider = new SessionCredentials(registry, () => [id]);
  const user = async (...scopes: string[]) => {
    const found = await provider.credentials('h', { signal, scopes });
    return found.kind === 'basic' ? found.username : found.kind;
  };
  expect(await user('repository:cache/team:pull')).toBe('cache');
  expect(await user('repository:cache/team/more:pull')).toBe('user');
  expect(await user('repository:cache/open:pull,push')).toBe('anonymous');
  expect(await user('repository:app:pull,push')).toBe('user');
  // Who writes counts where one is mounted from another.
  expect(await user('repository:app:pull,push', 'repository:cache/team:pull')).toBe('user');
  expect(await user('repository:app:pull', 'repository:cache/team:pull,push')).toBe('cache');
  expect(await user()).toBe('user');
  const held = heldCredentials(provider);
  const secret = async (scope: string) => JSON.stringify(await held.credentials('h', { signal, scopes: [scope] }));
  expect(await secret('repository:app:pull')).toContain('of the host');
  expect(await secret('repository:cache/team:pull')).toContain('own');
  expect(asked).toContain('h/cache/team');
});

test('files and trees reach their destinations; a client without one refuses', async () => {
  const { registry, join: attend } = await daemon();
  const out = tempDir();
  const id = attend((server) =>
    serveExports(
      server,
      new Map([
        [0, { kind: 'file', path: join(out, 'x.tar') }],
        [1, { kind: 'directory', path: join(out, 'tree') }],
      ]),
    ),
  );
  const sender = new FileSender(await registry.get(id, { signal }));
  async function* source() {
    for (let i = 0; i < 10; i++) yield Buffer.alloc(700_000, i);
  }
  expect(await sender.sendFile({ exporterId: 0, response: {} }, source(), { signal })).toBe(true);
  expect(readFileSync(join(out, 'x.tar'))).toHaveLength(7_000_000);
  const tree = tempDir();
  mkdirSync(join(tree, 'bin'));
  writeFileSync(join(tree, 'bin/app'), 'run');
  const prefix = { name: 'linux_arm64', mtimeNs: 0n };
  await sender.sendTrees({ exporterId: 1, response: {} }, [{ directory: tree, prefix }], { signal });
  expect(readFileSync(join(out, 'tree/linux_arm64/bin/app'), 'utf8')).toBe('run');
  await expect(sender.sendFile({ exporterId: 7, response: {} }, source(), { signal })).rejects.toMatchObject({
    code: 'not_found',
  });
  async function* broken() {
    yield Buffer.alloc(100_000);
    throw new CodedError('data_loss', 'blob is gone');
  }
  await expect(sender.sendFile({ exporterId: 0, response: {} }, broken(), { signal })).rejects.toMatchObject({
    code: 'data_loss',
  });
  await expect.poll(() => readdirSync(out).sort()).toEqual(['tree', 'x.tar']);
  const none = new FileSender(
    await registry.get(
      attend(() => {}),
      { signal },
    ),
  );
  expect(none.available).toBe(false);
  await expect(
    none.sendTrees({ exporterId: 0, response: {} }, [{ directory: tree }], { signal }),
  ).rejects.toMatchObject({
    code: 'failed_precondition',
  });
});

test('a client that takes nothing of a result is waited for so long and no longer; one that is given nothing waits', async () => {
  const { registry, join: attend } = await daemon({ limits: { stallMs: 300 } });
  const unread = attend((server) =>
    server.registerRaw(methodPath(FileSend, FileSend.methods.diffCopy), (call) => call.sendHeaders()),
  );
  const sender = new FileSender(await registry.get(unread, { signal }));
  const stalled = { code: 'deadline_exceeded', reason: 'SESSION_STALLED', fault: 'user' };
  async function* source() {
    for (let n = 0; n < 30; n++) yield Buffer.alloc(1 << 20, n);
  }
  await expect(sender.sendFile({ exporterId: 0, response: {} }, source(), { signal })).rejects.toMatchObject(stalled);
  const tree = tempDir();
  writeFileSync(join(tree, 'file'), 'content');
  await expect(
    sender.sendTrees({ exporterId: 0, response: {} }, [{ directory: tree }], { signal }),
  ).rejects.toMatchObject(stalled);
  // What takes long to be made is no fault of the client's.
  const path = join(tempDir(), 'x.tar');
  const id = attend((server) => serveExports(server, new Map([[0, { kind: 'file', path }]])));
  async function* slow() {
    await delay(700);
    yield Buffer.from('late');
  }
  const patient = new FileSender(await registry.get(id, { signal }));
  expect(await patient.sendFile({ exporterId: 0, response: {} }, slow(), { signal })).toBe(true);
});

test('a secret has so many bytes and no more, however large it is', async () => {
  const { registry, join: attend } = await daemon();
  const id = attend((server) =>
    server.register(Secrets, { getSecret: ({ id: bytes }) => ({ data: Buffer.alloc(Number(bytes), 's') }) }),
  );
  const secrets = new SecretProvider(registry);
  expect(await secrets.get('512000', () => [id], { signal })).toHaveLength(512_000);
  for (const bytes of ['512001', '600000', '15000000'])
    await expect(secrets.get(bytes, () => [id], { signal })).rejects.toMatchObject({
      ...{ code: 'resource_exhausted', fault: 'user' },
      message: `secret ${bytes} is larger than 512000 bytes`,
    });
});
