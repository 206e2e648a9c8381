import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Authority, type Certificate, makeAuthority } from '../../../e2e/support/certificates.ts';
import { neverAborted } from '../../base/index.ts';
import { Builder, GrpcServer } from '../../builder-api/index.ts';
import { type BuilderPool, type Endpoint, endpointsOf } from '../../resources/index.ts';
import type { KubeClient } from '../runtime/index.ts';
import { Builders } from './builders.ts';
import { poolStatus } from './status.ts';

const signal = neverAborted;
const folder = mkdtempSync(join(tmpdir(), 'builders-'));
let ca: Authority;
beforeAll(async () => {
  ca = await makeAuthority(folder, 'ca');
});
afterAll(() => rmSync(folder, { recursive: true }));

const pem = (file: string) => readFileSync(file);

/** A builder with this certificate, and the operator's view of it through a Secret that can turn. */
async function world(server: Certificate, client: Certificate, inUse: readonly string[] = []) {
  const builder = new GrpcServer();
  builder.register(Builder, {
    load: () => ({ running: 0, capacity: 3, draining: false, builderId: 'b', platforms: [], version: '1' }),
  });
  const port = await builder.listenTcp('127.0.0.1', 0, {
    ca: pem(ca.cert),
    cert: pem(server.cert),
    key: pem(server.key),
  });
  const secret = { current: client };
  const kube = {
    get: async () => {
      const { cert, key } = secret.current;
      const data = { 'ca.crt': pem(ca.cert), 'tls.crt': pem(cert), 'tls.key': pem(key) };
      return {
        data: Object.fromEntries(Object.entries(data).map(([name, bytes]) => [name, bytes.toString('base64')])),
      };
    },
  } as unknown as KubeClient;
  const builders = new Builders(kube, () => new Set(inUse));
  const pool = {
    metadata: { name: 'p' },
    spec: { endpoints: [{ address: `127.0.0.1:${port}`, tlsSecretRef: { name: 's', namespace: 'n' } }] },
  } as unknown as BuilderPool;
  return {
    builders,
    pool,
    secret,
    probe: async () => {
      builders.keep('p', endpointsOf(pool));
      return (await builders.probe('p', { signal }))[0];
    },
    [Symbol.asyncDispose]: async () => {
      await builders[Symbol.asyncDispose]();
      await builder.close();
    },
  };
}

const server = (days?: number) =>
  ca.issue('builder', { names: ['127.0.0.1'], ...(days === undefined ? {} : { days }) });

test('a builder whose certificate has run out is not asked to build, and the pool says why', async () => {
  await using expired = await world(await server(-1), await ca.issue('operator'));
  const state = await expired.probe();
  expect(state).toMatchObject({ ready: false, message: expect.stringContaining('certificate has expired') });
  expect(poolStatus(expired.pool, { endpoints: [state!] }, 0).conditions?.[0]).toMatchObject({
    status: 'False',
    message: expect.stringContaining('certificate has expired'),
  });
});

test('an own certificate that has run out is refused by the builder, and the next one of the Secret is used at once', async () => {
  await using turning = await world(await server(), await ca.issue('operator', { days: -1 }));
  expect(await turning.probe()).toMatchObject({ ready: false });
  turning.secret.current = await ca.issue('operator');
  expect(await turning.probe()).toMatchObject({ ready: true, capacity: 3 });
});

test('a connection stays while a run is on it, also when its pool is gone', async () => {
  const used: string[] = [];
  await using kept = await world(await server(), await ca.issue('operator'), used);
  await kept.probe();
  const address = endpointsOf(kept.pool)[0]!.address;
  used.push(address);
  await kept.builders.forget('p');
  expect(await kept.builders.client(address)?.builder.load({}, { signal })).toMatchObject({ capacity: 3 });
  used.length = 0;
  await kept.builders.forget('p');
  expect(kept.builders.client(address)).toBeUndefined();
});

test('a builder is of use while another of its pool hangs, and keeps its connection meanwhile', async () => {
  const sockets: Socket[] = [];
  const hanging = createServer((socket) => void sockets.push(socket.on('error', () => {})));
  await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
  await using mixed = await world(await server(), await ca.issue('operator'));
  const [good] = mixed.pool.spec.endpoints as readonly Endpoint[];
  const endpoints = [{ address: `127.0.0.1:${(hanging.address() as AddressInfo).port}` }, good];
  mixed.builders.keep('mixed', endpoints as readonly Endpoint[]);
  const heard = Promise.withResolvers<void>();
  const over = new AbortController();
  const probing = mixed.builders.probe('mixed', { signal: over.signal, onHeard: () => heard.resolve() });
  probing.catch(() => {});
  try {
    await heard.promise;
    const ready = { address: good?.address as string, ready: true, capacity: 3 };
    expect(mixed.builders.states('mixed')).toMatchObject([ready]);
    await mixed.builders.forget('another');
    expect(await mixed.builders.client(ready.address)?.builder.load({}, { signal })).toMatchObject({ capacity: 3 });
    // What was known of it counts until it is heard of again.
    mixed.builders.keep('mixed', endpoints as readonly Endpoint[]);
    const again = mixed.builders.probe('mixed', { signal: over.signal });
    again.catch(() => {});
    expect(mixed.builders.states('mixed')).toMatchObject([ready]);
  } finally {
    over.abort(new Error('the test is over'));
    await expect(probing).rejects.toThrow();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => hanging.close(resolve));
  }
});
