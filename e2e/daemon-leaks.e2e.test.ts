import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digestOf } from '../src/base/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { type Census, census, grown } from './support/census.ts';
import { BASE, dockerfileArgs, makeContext } from './support/context.ts';
import { type GitServer, startGitServer } from './support/git-server.ts';
import { tempFolder } from './support/temp-folder.ts';

/** One failure that leaves something is seen; that many see what one in twenty leaves. */
const REPEATS = 20;
const AT_ONCE = 5;

const work = tempFolder('daemon-leaks');
const folder = work.path;
let builder: TestBuilder;
let server: Server;
let git: GitServer;
let host: string;

/** A registry that refuses one repository and whose layers in others are not what they claim to be; and files that fail half way. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const url = request.url ?? '';
  if (url.startsWith('/v2/refused/'))
    return void response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"no"}]}');
  if (url === '/v2/') return void response.end('{}');
  if (url.startsWith('/v2/damaged/manifests/')) {
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(CONFIG), size: CONFIG.length },
      layers: [
        { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digestOf(LAYER), size: LAYER.length },
      ],
    });
    response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
    return void response.end(request.method === 'HEAD' ? undefined : body);
  }
  if (url.endsWith(digestOf(CONFIG))) return void response.end(CONFIG);
  if (url.endsWith(digestOf(LAYER))) return void response.end(LAYER);
  if (url.startsWith('/cut')) {
    response.writeHead(200, { 'content-length': '1000000' });
    response.write(Buffer.alloc(100_000));
    setTimeout(() => response.destroy(), 5);
    return;
  }
  response.writeHead(404).end();
}

const LAYER = Buffer.from('no gzip at all');
const CONFIG = Buffer.from(
  JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : 'arm64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf('something')] },
  }),
);

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  git = await startGitServer(folder);
  mkdirSync(path.join(folder, 'code'));
  writeFileSync(path.join(folder, 'code/a'), 'a');
  await git.create('code', path.join(folder, 'code'));
  const toml = path.join(folder, 'buildkitd.toml');
  writeFileSync(toml, `[registry."${host}"]\n  http = true\n`);
  builder = await startBuilder(folder, ['--config', toml]);
});
afterAll(async () => {
  await builder?.stop();
  await git?.[Symbol.asyncDispose]();
  server?.closeAllConnections();
  server?.close();
  work[Symbol.dispose]();
});

interface Failing {
  readonly dockerfile: () => string;
  readonly args?: () => readonly string[];
  readonly says: RegExp;
  /** Interrupted once its output says so. */
  readonly cancelAt?: RegExp;
}

const INPUTS: Readonly<Record<string, Failing>> = {
  'a bad Dockerfile': { dockerfile: () => 'FORM scratch\n', says: /unknown instruction/ },
  'a failing step': { dockerfile: () => `${BASE}FROM base\nRUN exit 7\n`, says: /exit code: 7/ },
  'a missing source': { dockerfile: () => 'FROM scratch\nCOPY nothing /\n', says: /nothing.*not found/ },
  'a refused image': { dockerfile: () => `FROM ${host}/refused:1\nRUN true\n`, says: /403/ },
  'an unreachable registry': {
    dockerfile: () => 'FROM 127.0.0.1:1/x:1\nRUN true\n',
    says: /connect: connection refused/,
  },
  'a damaged layer': { dockerfile: () => `FROM ${host}/damaged:1\nCOPY a.txt /\nRUN true\n`, says: /failed to solve/ },
  'a damaged archive': { dockerfile: () => 'FROM scratch\nADD damaged.tgz /\n', says: /failed to solve/ },
  'an archive that leaves its root': {
    dockerfile: () => 'FROM scratch\nADD leaving.tar /d/\n',
    says: /failed to solve/,
  },
  'a bad compression': {
    dockerfile: () => 'FROM scratch\nCOPY a.txt /\n',
    args: () => ['--output', 'type=oci,dest=/dev/null,compression=no-such'],
    says: /compression/,
  },
  'a push that is refused': {
    dockerfile: () => 'FROM scratch\nCOPY a.txt /\n',
    args: () => ['--output', `type=image,name=${host}/refused:1,push=true`],
    says: /403/,
  },
  'a secret that is not there': {
    dockerfile: () => `${BASE}FROM base\nRUN --mount=type=secret,id=x,required=true true\n`,
    says: /secret/,
  },
  'a file that is not there': { dockerfile: () => `FROM scratch\nADD http://${host}/none /\n`, says: /404/ },
  'a file that is cut': { dockerfile: () => `FROM scratch\nADD http://${host}/cut /\n`, says: /: unexpected EOF\b/ },
  'a git ref that is not there': {
    dockerfile: () => `FROM scratch\nADD ${git.url}/code.git#no-such /\n`,
    says: /no-such/,
  },
  'a build that is cancelled': {
    dockerfile: () => `${BASE}FROM base\nRUN --mount=type=cache,target=/m echo began; sleep 1000\n`,
    cancelAt: / began\n/,
    says: /CANCELED|canceled|ERROR/,
  },
};

function contextOf(name: string): string {
  const { dockerfile } = INPUTS[name] as Failing;
  const at = makeContext(path.join(folder, 'contexts', name.replaceAll(' ', '-')), {
    Dockerfile: dockerfile(),
    'a.txt': 'a\n',
    'b.txt': 'b\n',
  });
  if (name === 'a damaged archive') {
    execFileSync('tar', ['-C', at, '-czf', path.join(at, 'damaged.tgz'), 'busybox']);
    const whole = readFileSync(path.join(at, 'damaged.tgz'));
    writeFileSync(path.join(at, 'damaged.tgz'), whole.subarray(0, whole.length / 2));
  }
  if (name === 'an archive that leaves its root')
    execFileSync('tar', [
      '-C',
      at,
      '-P',
      '-cf',
      path.join(at, 'leaving.tar'),
      '--transform',
      's,^b,../../../b,',
      'a.txt',
      'b.txt',
    ]);
  return at;
}

async function failOnce(name: string, context: string): Promise<void> {
  const { args, says, cancelAt } = INPUTS[name] as Failing;
  let stop = () => {};
  const ran = await builder.buildctl(dockerfileArgs(context, args?.()), {
    onStart: (child) => {
      stop = () => child.kill('SIGINT');
    },
    onOutput: (output) => {
      if (cancelAt?.test(output)) stop();
    },
  });
  expect(ran.code, `${name}: ${ran.output}`).not.toBe(0);
  expect(ran.output, name).toMatch(says);
}

async function failAll(names: readonly string[], times: number): Promise<void> {
  const contexts = names.map((name) => [name, contextOf(name)] as const);
  const todo = Array.from({ length: times }, () => contexts).flat();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = todo.pop(); next !== undefined; next = todo.pop()) await failOnce(...next);
    }),
  );
}

/** Once nothing changes any more; what is kept for the next time is let go of. */
async function count(): Promise<Census> {
  const pruned = await builder.buildctl(['prune', '--all']);
  expect(pruned.code, pruned.output).toBe(0);
  let last: Census = {};
  let same = 0;
  const isSteady = () => {
    // How many connections wait for further requests is the moment's to say.
    server.closeIdleConnections();
    const now = census(builder.root);
    same = JSON.stringify(now) === JSON.stringify(last) ? same + 1 : 0;
    last = now;
    return same >= 3;
  };
  await expect.poll(isSteady, { interval: 500 }).toBe(true);
  return last;
}

test(`whatever fails, ${REPEATS} times: nothing more than before`, { timeout: 1_200_000 }, async () => {
  const names = Object.keys(INPUTS);
  // Threads and connections that stay for the next time are there then.
  await failAll(names, 3);
  const before = await count();
  await failAll(names, REPEATS);
  expect(grown(before, await count())).toEqual({});
});
