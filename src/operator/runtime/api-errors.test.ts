import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodedError, neverAborted } from '../../base/index.ts';
import { openKubeClient, uncheckedType } from './kube-client.ts';
import type { KubeClient } from './ports.ts';

const things = uncheckedType({ group: '', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true });
const signal = neverAborted;
const one = { namespace: 'n', name: 'a' };

let server: Server;
let client: KubeClient & Disposable;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let asked: string[];

const reply = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const thing = { apiVersion: 'v1', kind: 'Thing', metadata: one };

beforeEach(async () => {
  asked = [];
  answer = (_, response) => reply(response, 200, thing);
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const config = new KubeConfig();
  const { port } = server.address() as AddressInfo;
  config.loadFromClusterAndUser({ name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: true }, { name: 'u' });
  client = openKubeClient(config, { request: () => {} });
});
afterEach(async () => {
  client[Symbol.dispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('an API server that is busy', () => {
  test('is asked again when it says', async () => {
    answer = (_, response) =>
      asked.length < 3
        ? reply(response, 429, { reason: 'TooManyRequests', details: { retryAfterSeconds: 0 } })
        : reply(response, 200, thing);
    expect(await client.get(things, one, { signal })).toEqual(thing);
    expect(asked).toHaveLength(3);
  });

  test('is not asked without end, nor when it names no time', async () => {
    answer = (_, response) => reply(response, 429, { reason: 'TooManyRequests' }, { 'retry-after': '0' });
    await expect(client.get(things, one, { signal })).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked.length).toBeGreaterThan(2);
    asked = [];
    answer = (_, response) => reply(response, 429, { reason: 'TooManyRequests' });
    await expect(client.get(things, one, { signal })).rejects.toMatchObject({ refusal: 'TooManyRequests' });
    expect(asked).toHaveLength(1);
  });

  test('is not waited for by a call that is urgent', async () => {
    answer = (_, response) => reply(response, 429, {}, { 'retry-after': '3600' });
    await expect(client.get(things, one, { signal, urgent: true })).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked).toHaveLength(1);
  });
});

test.each([
  [500, { reason: 'InternalError', message: 'failed calling webhook' }, 'unavailable', 'InternalError'],
  [500, { reason: 'InternalError', message: 'etcdserver: request is too large' }, 'resource_exhausted', 'TooLarge'],
  [413, { reason: 'RequestEntityTooLarge', message: 'limit is 3145728' }, 'resource_exhausted', 'TooLarge'],
  [403, { reason: 'Forbidden', message: 'exceeded quota' }, 'permission_denied', 'Forbidden'],
  [422, { reason: 'Invalid', message: 'spec.x' }, 'invalid_argument', 'Invalid'],
  [502, 'a proxy’s page', 'unavailable', '502'],
])('%i %j is %s', async (status, body, code, refusal) => {
  answer = (_, response) => reply(response, status, body as object);
  await expect(client.get(things, one, { signal })).rejects.toMatchObject({
    code,
    refusal,
    reason: 'KUBE_REFUSED',
    fault: 'infrastructure',
  });
});

test('calls that hang keep no urgent call waiting, and end with their signal', async () => {
  const held: ServerResponse[] = [];
  answer = (request, response) => {
    if (request.url?.endsWith('/lease')) reply(response, 200, thing);
    else held.push(response);
  };
  const over = new AbortController();
  const calls = Array.from({ length: 60 }, () => client.get(things, one, { signal: over.signal }));
  const settled = Promise.allSettled(calls);
  await expect.poll(() => held.length).toBeGreaterThan(20);
  const lease = { ...one, name: 'lease' };
  expect(await client.get(things, lease, { signal, urgent: true })).toEqual(thing);
  over.abort(new CodedError('cancelled', 'over'));
  for (const one of await settled) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
});

test('times are the API server’s where this machine’s clock is far off, and its own else', async () => {
  const at = (ms: number) =>
    (answer = (_, response) => reply(response, 200, thing, { date: new Date(ms).toUTCString() }));
  for (const offMs of [-5 * 3_600_000, 3_600_000]) {
    at(Date.now() + offMs);
    await client.get(things, one, { signal });
    expect(Math.abs(client.now() - Date.now() - offMs)).toBeLessThan(60_000);
  }
  at(Date.now() - 1000);
  await client.get(things, one, { signal });
  const before = Date.now();
  const now = client.now();
  expect([now >= before, now <= Date.now()]).toEqual([true, true]);
});
