import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { type Authority, makeAuthority } from './support/certificates.ts';
import { building, makeContext } from './support/context.ts';
import { type GitServer, startGitServer } from './support/git-server.ts';
import { freePort } from './support/ports.ts';
import { type Service, startService } from './support/service.ts';
import { tempFolder } from './support/temp-folder.ts';

// A company's network: names are known to its proxies alone, and its servers show certificates of its own authority.

const DOMAIN = 'corp.test';
const work = tempFolder('environment');
const folder = work.path;
const at = (name: string) => path.join(folder, name);
let authority: Authority;
let registry: RegistryServer;
let git: GitServer;
let front: Server;
let port: number;
let httpProxy: Service;
let socksProxy: Service;
let httpProxyUrl: string;
let socksProxyUrl: string;

/** TLS before the registry, the git server and a file, by the name that is asked for. */
async function startFront(): Promise<Server> {
  const { cert, key } = await authority.issue(DOMAIN, { names: [`*.${DOMAIN}`] });
  const targets: Readonly<Record<string, string>> = {
    [`registry.${DOMAIN}`]: registry.url,
    [`git.${DOMAIN}`]: git.url,
  };
  const forward = (req: IncomingMessage, res: ServerResponse) => {
    const target = targets[req.headers.host?.split(':')[0] ?? ''];
    if (target === undefined) {
      res.end('from the file server');
      return;
    }
    const upstream = request(
      new URL(req.url ?? '/', target),
      { method: req.method, headers: req.headers },
      (answer) => {
        res.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(res);
      },
    );
    upstream.on('error', () => res.destroy());
    req.pipe(upstream);
  };
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, forward);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** A program that alone knows the company's names. */
function startInside(name: string, command: string): Service {
  return startService('unshare', ['--mount', 'sh', '-c', `mount --bind ${at('hosts')} /etc/hosts && exec ${command}`], {
    logFile: at(`${name}.log`),
  });
}

async function listens(at: number): Promise<boolean> {
  const socket = connect(at, '127.0.0.1');
  const answered = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return answered;
}

beforeAll(async () => {
  authority = await makeAuthority(folder, 'company');
  registry = await RegistryServer.start({ root: at('registry'), durable: false });
  mkdirSync(at('sources'));
  writeFileSync(at('sources/readme'), 'from git');
  git = await startGitServer(folder);
  await git.create('app', at('sources'));
  front = await startFront();
  ({ port } = front.address() as AddressInfo);
  const names = ['registry', 'git', 'files'].map((name) => `${name}.${DOMAIN}`);
  writeFileSync(at('hosts'), `127.0.0.1 localhost ${names.join(' ')}\n`);
  const ports = [await freePort(), await freePort()] as const;
  const settings = [
    `Port ${ports[0]}`,
    'Listen 127.0.0.1',
    'Timeout 600',
    'LogLevel Connect',
    'BasicAuth ada lovelace',
  ];
  writeFileSync(at('tinyproxy.conf'), `${settings.join('\n')}\n`);
  httpProxyUrl = `http://ada:lovelace@127.0.0.1:${ports[0]}`;
  socksProxyUrl = `socks5h://ada:lovelace@127.0.0.1:${ports[1]}`;
  httpProxy = startInside('tinyproxy', `tinyproxy -d -c ${at('tinyproxy.conf')}`);
  socksProxy = startInside('microsocks', `microsocks -i 127.0.0.1 -p ${ports[1]} -u ada -P lovelace`);
  await httpProxy.ready(() => listens(ports[0]));
  await socksProxy.ready(() => listens(ports[1]));
});

afterAll(async () => {
  await httpProxy?.stop('SIGKILL');
  await socksProxy?.stop('SIGKILL');
  front?.closeAllConnections();
  front?.close();
  await git?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  work[Symbol.dispose]();
});

/** All that a daemon of this machine's environment might say of proxies and certificates is said anew. */
const environment = (env: Readonly<Record<string, string>>): Record<string, string> => ({
  ...Object.fromEntries(
    ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
      [name, ''],
      [name.toLowerCase(), ''],
    ]),
  ),
  NODE_EXTRA_CA_CERTS: '',
  GIT_SSL_CAINFO: '',
  ...env,
});

describe.each<[string, () => Record<string, string>]>([
  ['an http proxy and a file of certificates', () => ({ HTTPS_PROXY: httpProxyUrl, SSL_CERT_FILE: authority.cert })],
  ['a socks proxy and a folder of certificates', () => ({ ALL_PROXY: socksProxyUrl, SSL_CERT_DIR: at('trusted') })],
])('%s', (_name, env) => {
  let builder: TestBuilder;
  const own = tempFolder('environment-builder');
  const { succeeds, fails } = building(() => builder);

  beforeAll(async () => {
    mkdirSync(at('trusted'), { recursive: true });
    copyFileSync(authority.cert, at('trusted/company.pem'));
    builder = await startBuilder(own.path, [], environment({ ...env(), NO_PROXY: `direct.${DOMAIN}` }));
  });
  afterAll(async () => {
    await builder?.stop();
    own[Symbol.dispose]();
  });

  test('serve registries, http sources and git', async () => {
    const image = `registry.${DOMAIN}:${port}/app`;
    const base = makeContext(path.join(own.path, 'base'), { Dockerfile: 'FROM scratch\nCOPY busybox /bin/sh\n' });
    await succeeds(base, ['--output', `type=image,name=${image},push=true`]);
    const context = makeContext(path.join(own.path, 'context'), {
      Dockerfile: `FROM ${image}
ADD https://files.${DOMAIN}:${port}/file /file
ADD https://git.${DOMAIN}:${port}/app.git /app
`,
    });
    const out = path.join(own.path, 'out');
    await succeeds(context, ['--output', `type=local,dest=${out}`]);
    expect(readFileSync(path.join(out, 'file'), 'utf8')).toBe('from the file server');
    expect(readFileSync(path.join(out, 'app/readme'), 'utf8')).toBe('from git');
  });

  test('but not what NO_PROXY names', async () => {
    const context = makeContext(path.join(own.path, 'direct'), {
      Dockerfile: `FROM scratch\nADD https://direct.${DOMAIN}:${port}/file /file\n`,
    });
    expect((await fails(context)).output).toMatch(/dial tcp: lookup \S+: (?:no such host|server misbehaving)/);
  });
});

test('without the certificate every connection is refused, and the error says what to do', async () => {
  using own = tempFolder('environment-untrusting');
  await using builder = await startBuilder(own.path, [], environment({ HTTPS_PROXY: httpProxyUrl }));
  const { fails } = building(() => builder);
  const image = `registry.${DOMAIN}:${port}/app`;
  const context = makeContext(path.join(own.path, 'context'), { Dockerfile: `FROM ${image}\nRUN true\n` });
  expect((await fails(context)).output).toMatch(/certificate/);
  writeFileSync(path.join(context, 'Dockerfile'), `FROM scratch\nADD https://files.${DOMAIN}:${port}/file /file\n`);
  expect((await fails(context)).output).toMatch(/certificate/);
  writeFileSync(path.join(context, 'Dockerfile'), `FROM scratch\nADD https://git.${DOMAIN}:${port}/app.git /app\n`);
  expect((await fails(context)).output).toMatch(/certificate/);
});
