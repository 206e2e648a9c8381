import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Authority, type Certificate, makeAuthority } from '../../../e2e/support/certificates.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { CodedError, silentLogger } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import type { Build, BuildRun } from '../../resources/index.ts';
import { knownBuildType, knownRunType } from '../known.ts';
import type { AttemptLog } from '../logs/sources.ts';
import { MemoryApi } from '../testing/memory-api.ts';
import { Access } from './access.ts';
import { serveApi } from './api.ts';
import { apiHandlers } from './routes.ts';

const { StatusResponse } = wire.moby.buildkit.v1;
const LOGS = '/apis/logs.slipway.build/v1alpha1/namespaces/a/buildruns/app-1/log';
const work = tempFolder('api');
const over = new AbortController();
const api = new MemoryApi();
let front: Authority;
let own: Authority;
let proxy: Certificate;
let stranger: Certificate;
let serving: Promise<void>;
let port = 0;
const reviews: { user: string; groups: string[]; extra: object; resourceAttributes: Record<string, string> }[] = [];
let attemptLog: AttemptLog = async function* () {
  yield new StatusResponse({ vertexes: [{ digest: 'v', name: 'RUN make', started: { seconds: 1 } }] });
};

const pem = (file: string) => readFileSync(file, 'utf8');

beforeAll(async () => {
  front = await makeAuthority(work.path, 'front');
  own = await makeAuthority(work.path, 'own');
  const server = await own.issue('api', { names: ['127.0.0.1', 'localhost'] });
  proxy = await front.issue('front-proxy-client');
  stranger = await front.issue('somebody-else');
  api.put('configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'kube-system', name: 'extension-apiserver-authentication' },
    data: {
      'requestheader-client-ca-file': pem(front.cert),
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-username-headers': '["X-Remote-User"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    },
  } as never);
  api.put('apiservices', {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1alpha1.logs.slipway.build' },
    spec: {},
  } as never);
  api.put('builds', {
    apiVersion: 'slipway.build/v1alpha1',
    kind: 'Build',
    metadata: { name: 'idle', namespace: 'a', uid: 'b' },
    spec: { dockerfile: { inline: 'FROM scratch' } },
  } as Build);
  api.put('buildruns', {
    apiVersion: 'slipway.build/v1alpha1',
    kind: 'BuildRun',
    metadata: { name: 'app-1', namespace: 'a', uid: 'u' },
    spec: { buildRef: { name: 'app' }, number: 1, hash: 'h', buildSpec: { dockerfile: { inline: 'FROM scratch' } } },
    status: {
      phase: 'Succeeded',
      attempts: [{ number: 1, builder: 'b:1', startedAt: '2026-01-31T12:00:00Z', completedAt: '2026-01-31T12:00:05Z' }],
      completedAt: '2026-01-31T12:00:05Z',
    },
  } as BuildRun);
  const kube = {
    ...api.client,
    create: async (_: unknown, object: { spec: (typeof reviews)[number] }) => {
      reviews.push(object.spec);
      return { ...object, status: { allowed: object.spec.user !== 'eve' } };
    },
  } as unknown as typeof api.client;
  const { promise, resolve } = Promise.withResolvers<number>();
  const log = { ...silentLogger, info: (_: string, fields?: object) => resolve((fields as { port: number }).port) };
  serving = serveApi({
    kube,
    address: '127.0.0.1:0',
    certificate: async () => ({ cert: pem(server.cert), key: pem(server.key), ca: pem(own.cert) }),
    handlers: apiHandlers({
      kube,
      builders: { open: () => Promise.reject(new CodedError('not_found', 'there are no builders')) },
      runs: await api.informer(knownRunType),
      builds: await api.informer(knownBuildType),
      attemptLog: (...args) => attemptLog(...args),
      access: new Access(kube),
      now: Date.now,
    }),
    log,
    signal: over.signal,
  });
  port = await promise;
});

afterAll(async () => {
  over.abort(new CodedError('cancelled', 'the test is over'));
  await serving;
  api[Symbol.dispose]();
  work[Symbol.dispose]();
});

const ADA = { 'x-remote-user': 'ada', 'x-remote-group': ['devs', 'ops'], 'x-remote-extra-acme.org%2fteam': 'x' };

function open(path: string, certificate: Certificate | undefined, options: RequestOptions = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const client = certificate === undefined ? {} : { cert: pem(certificate.cert), key: pem(certificate.key) };
  const sent = request({ host: '127.0.0.1', port, path, ca: pem(own.cert), agent: new Agent(), ...client, ...options });
  sent.once('response', resolve);
  sent.once('error', reject);
  sent.end();
  return promise;
}

async function ask(path: string, certificate: Certificate | undefined, options: RequestOptions = {}) {
  const response = await open(path, certificate, options);
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { code: response.statusCode, text };
}

test('the API server is answered for the user that it names, with what RBAC lets that one see', async () => {
  const answer = await ask(LOGS, proxy, { headers: ADA });
  expect(answer).toEqual({ code: 200, text: '#1 RUN make\napp-1 Succeeded\n' });
  expect(reviews.at(-1)).toMatchObject({
    user: 'ada',
    groups: ['devs', 'ops'],
    extra: { 'acme.org/team': ['x'] },
    resourceAttributes: {
      group: 'logs.slipway.build',
      resource: 'buildruns',
      subresource: 'log',
      verb: 'get',
      namespace: 'a',
      name: 'app-1',
    },
  });
  const asked = reviews.length;
  await ask(LOGS, proxy, { headers: ADA });
  expect(reviews.length).toBe(asked);
  const eve = await ask(LOGS, proxy, { headers: { 'x-remote-user': 'eve' } });
  expect(eve.code).toBe(403);
  expect(JSON.parse(eve.text)).toMatchObject({
    kind: 'Status',
    reason: 'Forbidden',
    message: /"eve" cannot get resource "buildruns\/log"/,
  });
});

test.each([
  ['no certificate', () => undefined, ADA],
  ['a certificate of another name', () => stranger, ADA],
  ['no user', () => proxy, {}],
  ['an empty user', () => proxy, { 'x-remote-user': '' }],
])('whoever comes with %s is nobody', async (_, certificate, headers) => {
  expect((await ask(LOGS, certificate(), { headers })).code).toBe(401);
  expect((await ask('/healthz', certificate(), { headers })).code).toBe(200);
});

test('a certificate of another authority is none', async () => {
  const forged = await own.issue('front-proxy-client');
  expect((await ask(LOGS, forged, { headers: ADA })).code).toBe(401);
});

test.each([
  ['a run that is not there', LOGS.replace('app-1', 'app-9'), 404, /there is no BuildRun a\/app-9/],
  ['a Build that has not run', LOGS.replace('buildruns/app-1', 'builds/idle'), 404, /has not run yet/],
  ['another path', '/apis/logs.slipway.build/v1alpha1/namespaces/a/buildruns/app-1', 404, /there is no/],
  ['a path that is none', LOGS.replace('app-1', '%ff'), 404, /not what a path can be/],
  ['a parameter that is none', `${LOGS}?tail=1`, 400, /unknown parameter tail/],
])('%s is refused in the words of the API', async (_, path, code, message) => {
  const answer = await ask(path, proxy, { headers: ADA });
  expect(answer.code, answer.text).toBe(code);
  expect(JSON.parse(answer.text)).toMatchObject({ kind: 'Status', status: 'Failure', code, message });
});

test('other verbs and protocols are refused, and headers without measure', async () => {
  expect((await ask(LOGS, proxy, { headers: ADA, method: 'DELETE' })).code).toBe(405);
  const upgrade = { connection: 'Upgrade', upgrade: 'h2c' };
  expect((await ask(LOGS, proxy, { headers: { ...ADA, ...upgrade } })).code).toBe(405);
  const large = await ask(LOGS, proxy, { headers: { ...ADA, 'x-large': 'x'.repeat(100_000) } }).catch(() => ({
    code: 0,
  }));
  expect([0, 431]).toContain(large.code);
});

test('an upload is for who may make one, of a run that is not over, by its own protocol', async () => {
  const to = LOGS.replace('buildruns/app-1/log', 'builds/app/upload');
  const upgrade = { connection: 'Upgrade', upgrade: 'slipway-upload' };
  const post = (path: string, headers: object) => ask(path, proxy, { method: 'POST', headers: { ...ADA, ...headers } });
  expect((await post(to, upgrade)).text).toContain('the BuildRun a/app-1 is over');
  expect(reviews.at(-1)?.resourceAttributes).toMatchObject({
    verb: 'create',
    resource: 'builds',
    subresource: 'upload',
  });
  expect((await post(`${to}?run=other-1`, upgrade)).code).toBe(404);
  expect((await post(LOGS.replace('app-1/log', 'app-1/upload'), upgrade)).code).toBe(405);
  expect((await post(to, { ...upgrade, upgrade: 'websocket' })).code).toBe(405);
  expect((await post(to, {})).code).toBe(400);
  expect((await ask(to, proxy, { headers: { ...ADA, ...upgrade } })).code).toBe(405);
  expect((await post(to, { ...upgrade, 'x-remote-user': 'eve' })).code).toBe(403);
  expect((await ask(to, stranger, { method: 'POST', headers: { ...ADA, ...upgrade } })).code).toBe(401);
});

test('the documents that clients read first are there, and the APIService is told the authority', async () => {
  const list = JSON.parse((await ask('/apis/logs.slipway.build/v1alpha1', proxy, { headers: ADA })).text) as {
    resources: { name: string }[];
  };
  expect(list.resources.map(({ name }) => name)).toContain('buildruns/log');
  const service = api.get<never>('apiservices', { name: 'v1alpha1.logs.slipway.build' }) as unknown as {
    spec: { caBundle: string };
  };
  expect(Buffer.from(service.spec.caBundle, 'base64').toString()).toBe(pem(own.cert));
});

test('a reader that stands still makes nobody hold the log', async () => {
  let told = 0;
  let left = false;
  attemptLog = async function* () {
    yield new StatusResponse({ vertexes: [{ digest: 'v', name: 'RUN yes', started: { seconds: 1 } }] });
    try {
      for (; ; told++)
        yield new StatusResponse({ logs: [{ vertex: 'v', stream: 1, msg: Buffer.alloc(65_536, 'x\n') }] });
    } finally {
      left = true;
    }
  };
  const response = await open(LOGS, proxy, { headers: ADA });
  let before = -1;
  while (before !== told) {
    before = told;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(told * 65_536).toBeLessThan(64 << 20);
  response.destroy();
  while (!left) await new Promise((resolve) => setTimeout(resolve, 20));
});

test('one user has so many readers at once, and others theirs', async () => {
  attemptLog = async function* (_run, _attempt, { signal }) {
    yield new StatusResponse({ vertexes: [{ digest: 'v', name: 'RUN sleep', started: { seconds: 1 } }] });
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  const readers = await Promise.all(Array.from({ length: 32 }, () => open(LOGS, proxy, { headers: ADA })));
  const more = await ask(LOGS, proxy, { headers: ADA });
  expect(more.code).toBe(429);
  const other = await open(LOGS, proxy, { headers: { 'x-remote-user': 'bob' } });
  expect(other.statusCode).toBe(200);
  for (const reader of [...readers, other]) reader.destroy();
});
