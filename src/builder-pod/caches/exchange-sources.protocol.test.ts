import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGitServer } from '../../../e2e/support/git-server.ts';
import { type Digest, digestOf } from '../../base/index.ts';
import { FileActions, git, http, image, local, merge, type State } from '../../llb/index.ts';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import { atOnce, carriedBy, comparable, type Daemons, exchange, exchangeDaemons, keysOf } from './testing/exchange.ts';

/** Caches of builds that begin with images, repositories and files of the network, and whose steps mount whatever can be mounted, exchanged with the real daemon both ways. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-exchange-sources-'));
const cleanup = new AsyncDisposableStack();
let daemons: Daemons;

/** Where the sources are, for this run. */
interface Places {
  readonly registry: string;
  /** Of the image `base:1`, and of the index `base:all`. */
  readonly base: Digest;
  readonly all: Digest;
  readonly web: string;
  readonly git: string;
  readonly commit: string;
}
let places: Places;

const SERVED: Readonly<Record<string, { readonly text: string; readonly headers?: Readonly<Record<string, string>> }>> =
  {
    '/plain': { text: 'plain\n' },
    '/tagged': { text: 'tagged\n', headers: { etag: '"1"' } },
    '/dated': { text: 'dated\n', headers: { 'last-modified': 'Wed, 21 Oct 2015 07:28:00 GMT' } },
    '/old': { text: 'old\n', headers: { 'last-modified': 'Wednesday, 21-Oct-15 07:28:00 GMT' } },
    '/undated': { text: 'undated\n', headers: { 'last-modified': '2015-10-21 07:28:00' } },
    '/named': { text: 'named\n', headers: { 'content-disposition': 'attachment; filename="other"' } },
  };

const DOCKERFILES: Readonly<Record<string, (at: Places) => string>> = {
  images: ({ registry, base, all }) => `ARG NAME=base:1
FROM ${registry}/$NAME AS tagged
RUN echo a > /a
FROM ${registry}/base@${base} AS pinned
COPY f /f
RUN cat /f > /g
FROM ${registry}/base:all AS listed
RUN ["/bin/busybox", "sh", "-c", "echo i > /i"]
FROM ${registry}/base:1@${base} AS both
WORKDIR /w
RUN echo j > j
FROM ${registry}/base:all@${all}
COPY --from=tagged /a /a
COPY --from=pinned /g /g
COPY --from=listed /i /i
COPY --link --from=both /w /w
COPY --from=${registry}/base:1 /etc/one /one
RUN --mount=from=${registry}/base:1,target=/b ["/bin/busybox", "sh", "-c", "cat /b/etc/one /a /g /i /w/j > /sum"]
`,
  fetched: ({ registry, web, git: repository, commit }) => `FROM ${registry}/base:1 AS web
ADD ${web}/plain /plain
ADD ${web}/tagged /tagged
ADD --chmod=0755 --chown=1:2 ${web}/dated /dated
ADD ${web}/named ${web}/old ${web}/undated /d/
ADD --checksum=${digestOf(SERVED['/plain']!.text)} ${web}/plain /checked
RUN cat /plain /tagged /dated /d/* > /all
FROM ${registry}/base:1 AS repositories
ADD ${repository}#main /main
ADD ${repository}#v1 /v1
ADD ${repository}#v2 /v2
ADD ${repository}#${commit} /commit
ADD ${repository}#main:d /sub
ADD --link ${repository} /linked
RUN cat /main/f /sub/g > /all
FROM ${registry}/base:1
COPY --from=web /all /web
COPY --from=repositories /all /git
`,
  kept: ({ registry, git: repository }) => `FROM ${registry}/base:1
ADD --keep-git-dir=true ${repository}#v2 /kept
RUN cat /kept/f > /f
RUN cat /f > /g
`,
  mounts: ({ registry }) => `FROM ${registry}/base:1 AS made
RUN mkdir -p /m/n && echo n > /m/n/f
FROM ${registry}/base:1
RUN --mount=type=secret,id=token cat /run/secrets/token > /s1
RUN --mount=type=secret,id=token,env=TOKEN,required=true echo "$TOKEN" > /s2
RUN --mount=type=secret,id=token,target=/etc/t,mode=0444,uid=1,gid=2 cat /etc/t > /s3
RUN --mount=type=secret,id=other,env=OTHER echo "$OTHER" > /s4
RUN --mount=type=ssh,required=true test -S "$SSH_AUTH_SOCK" && echo yes > /h1
RUN --mount=type=ssh,id=second,target=/sock,mode=0666 echo > /h2
RUN --mount=type=cache,target=/c echo c > /c/f && echo c > /c1
RUN --mount=type=cache,id=x,target=/c,sharing=locked,mode=0700,uid=3,gid=4 ls /c > /c2
RUN --mount=type=cache,id=y,target=/c,from=made,source=/m,sharing=private cat /c/n/f > /c3
RUN --mount=type=cache,id=z,target=/c,ro ls /c > /c4
RUN --mount=type=tmpfs,target=/t,size=1m echo > /t/x && echo t > /t1
RUN --mount=type=bind,from=made,source=/m/n,target=/b cat /b/f > /b1
RUN --mount=type=bind,from=made,target=/b,rw echo > /b/x && cat /b/m/n/f > /b2
RUN --mount=type=bind,source=d,target=/b --mount=type=bind,source=f,target=/x,rw cat /b/g /x > /b3
RUN --network=none --mount=type=tmpfs,target=/t cat /b1 /b2 > /n1
`,
};

const files = new FileActions();
const run = (state: State, script: string, options: object = {}) =>
  state.run({ args: ['/bin/busybox', 'sh', '-c', script], name: script, ...options }).root;

const GRAPHS: Readonly<Record<string, (at: Places) => State>> = {
  'images that are cut off and checked': ({ registry, base }) => {
    const named = `${registry}/base:1`;
    const cut = image(named, { layerLimit: 1 });
    const checked = image(named, { checksum: base, resolveMode: 'pull' });
    return run(
      merge([run(cut, 'echo cut > /cut'), run(checked, 'echo checked > /checked')]),
      'cat /cut /checked > /sum',
    );
  },
  'files and repositories': ({ registry, web, git: url, commit }) => {
    const base = image(`${registry}/base@${places.base}`);
    const fetched = [
      http(`${web}/plain`, { permissions: 0o600, uid: 1, gid: 2, filename: 'x' }),
      http(`${web}/dated`, { checksum: digestOf(SERVED['/dated']!.text) }),
      http(`${web}/tagged`, { headers: { accept: 'text/plain', userAgent: 'me' } }),
    ];
    const repositories = [
      git(url, { ref: 'main', subDir: 'd', skipSubmodules: true }),
      git(url, { ref: 'refs/tags/v2' }),
      git(url, { ref: commit, mtime: 'commit' }),
      git(url, { ref: 'main', checksum: commit }),
    ];
    const mounts = [...fetched, ...repositories].map((source, i) => ({ target: `/m/${i}`, source, readonly: true }));
    const seen = run(base, 'ls -R /m > /seen', { mounts });
    return run(seen.file(files.copy(fetched[0]!, '/x', '/copied'), { name: 'copied' }), 'cat /seen /copied > /last');
  },
  'mounts of all kinds': ({ registry }) => {
    const base = image(`${registry}/base:all`);
    const made = run(base, 'mkdir /d && echo d > /d/f');
    const seen = run(made, 'cat /part/f /run/token > /seen; ls /cache /ctx', {
      mounts: [
        { target: '/part', source: made, selector: '/d', readonly: true },
        { target: '/whole', source: base, noOutput: true },
        { target: '/ctx', source: local('context'), readonly: true },
        { target: '/cache', cache: { id: 'a', sharing: 'private' }, source: made },
        { target: '/none', cache: { id: 'b' } },
        { target: '/t', tmpfs: {} },
        { target: '/out' },
      ],
      secrets: [
        { id: 'token', target: '/run/token', mode: 0o444 },
        { id: 'token', env: 'TOKEN' },
        { id: 'none', env: 'NONE', optional: true },
      ],
      ssh: [{ optional: true }],
    });
    return run(seen.file(files.copy(made, '/d/f', '/copied'), { name: 'copied' }), 'cat /seen /copied > /last');
  },
};

beforeAll(async () => {
  mkdirSync(join(temp, 'registry'));
  const { host: registry } = cleanup.use(await dockerRegistry(join(temp, 'registry')));

  const server = createServer((req, res) => {
    const found = SERVED[req.url ?? ''];
    if (found === undefined) return void res.writeHead(404).end();
    res.writeHead(200, { 'content-length': found.text.length, ...found.headers });
    res.end(req.method === 'HEAD' ? undefined : found.text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });

  const repositories = cleanup.use(await startGitServer(join(temp, 'git')));
  mkdirSync(join(temp, 'tree/d'), { recursive: true });
  for (const name of ['f', 'd/g']) writeFileSync(join(temp, 'tree', name), `${name} of git\n`);
  const commit = await repositories.create('app', join(temp, 'tree'));
  const bare = join(temp, 'git/repositories/app.git');
  execFileSync('git', ['-C', bare, 'tag', 'v1']);
  const identity = ['-c', 'user.name=tester', '-c', 'user.email=tester@example.com'];
  execFileSync('git', ['-C', bare, ...identity, 'tag', '-a', '-m', 'second', 'v2']);

  const key = join(temp, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  writeFileSync(join(temp, 'token'), 'secret');
  daemons = await exchangeDaemons(temp, cleanup, {
    dockerfiles: temp,
    args: ['--secret', `id=token,src=${join(temp, 'token')}`, '--ssh', `default=${key}`],
  });

  const busybox = 'FROM scratch\nCOPY busybox /bin/busybox\n';
  const installed =
    'RUN ["/bin/busybox", "--install", "-s", "/bin"]\nRUN echo 1 > /etc-one && mkdir /etc/d && mv /etc-one /etc/one\n';
  writeFileSync(join(temp, 'base'), `${busybox}${installed}ENV BASE=yes\nWORKDIR /\n`);
  writeFileSync(join(temp, 'all'), `${busybox}ENV ALL=yes\n`);
  const pushed = async (name: string, ...args: readonly string[]): Promise<Digest> => {
    await daemons.theirs.build(
      name,
      '--output',
      `type=image,name=${registry}/base:${name},push=true,oci-mediatypes=true`,
      ...args,
    );
    const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ');
    const answer = await fetch(`http://${registry}/v2/base/manifests/${name}`, { headers: { accept } });
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (name === 'base')
      await fetch(`http://${registry}/v2/base/manifests/1`, {
        method: 'PUT',
        headers: { 'content-type': answer.headers.get('content-type')! },
        body: bytes,
      });
    return digestOf(bytes);
  };
  places = {
    ...{ registry, commit, git: `${repositories.url}/app.git` },
    base: await pushed('base'),
    all: await pushed('all', '--opt=platform=linux/amd64,linux/arm64', '--opt=attest:provenance='),
    web: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
  for (const [name, text] of Object.entries(DOCKERFILES)) writeFileSync(join(temp, name), text(places));
}, 300_000);

afterAll(async () => {
  await cleanup.disposeAsync();
  rmSync(temp, { recursive: true, force: true });
});

type Case = readonly [name: string, mode: string, what: (at: Places) => State | string];
const CASES: readonly Case[] = [
  ...Object.keys(DOCKERFILES).flatMap((name) =>
    ['max', 'min'].map((mode): Case => [`the Dockerfile ${name}`, mode, () => name]),
  ),
  ...Object.entries(GRAPHS).map(([name, what]): Case => [name, 'max', what]),
];
const slug = (name: string) => name.replaceAll(/[^a-z]+/gi, '-').toLowerCase();

/** What git has in its own directory, its index say, is another each time. */
const KEPT = 'the Dockerfile kept';

test.each(CASES)('%s, %s', { timeout: 300_000 }, async (name, mode, what) => {
  const images = `${places.registry}/${slug(name)}/${mode}`;
  const place = (writer: string) => {
    const ref = `type=registry,ref=${images}:${writer}`;
    return { to: ref, from: ref };
  };
  await exchange(daemons, what(places), { images, mode, place, sources: /(?:^|\] )(?:FROM |[a-z-]+:\/\/)/ });
  if (name !== KEPT) expect(await keysOf(`${images}:ours`)).toEqual(await keysOf(`${images}:theirs`));
});

test.each(['images', 'fetched', 'mounts'])('records that an image carries, of the Dockerfile %s', {
  timeout: 300_000,
}, async (name) => {
  const carried: Record<string, unknown> = {};
  await atOnce(daemons, async (daemon, writer) => {
    const ref = `${places.registry}/inline-${name}:${writer}`;
    await daemon.forget();
    await daemon.build(name, '--output', `type=image,name=${ref},push=true`, '--export-cache', 'type=inline');
    carried[writer] = (await carriedBy(ref)).map(comparable);
  });
  expect(carried['ours']).toEqual(carried['theirs']);
});
