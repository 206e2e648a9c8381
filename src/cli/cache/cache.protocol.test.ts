import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Digest, neverAborted } from '../../base/index.ts';
import { OURS, outcome, REAL, TestDaemon } from '../../builder-pod/daemon/testing/test-daemon.ts';
import { readTags } from '../../cache/repositories/index.ts';
import { RegistryClient, type Repository } from '../../oci/registry-client/index.ts';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { staticCredentials } from '../../oci/registry-client/testing/static-credentials.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';

/** Caches that the real daemon and ours have written, in real registries, by the command. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-caches-'));
const context = join(temp, 'context');
const cleanup = new AsyncDisposableStack();
const users = { ada: 'lovelace' };
const signal = neverAborted;
let ours: TestDaemon;
let theirs: TestDaemon;
const hosts: Record<string, string> = {};

const DOCKERFILE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base
COPY word /word
RUN cat /word > /made
`;

beforeAll(async () => {
  mkdirSync(context);
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
  const docker = join(temp, 'docker-registry');
  mkdirSync(docker);
  hosts['docker'] = cleanup.use(await dockerRegistry(docker)).host;
  const access = { kind: 'token', users } as const;
  hosts['embedded'] = cleanup.use(
    await RegistryServer.start({ root: join(temp, 'embedded'), durable: false, access }),
  ).host;
  const auths = Object.fromEntries(
    Object.values(hosts).map((host) => [host, { auth: Buffer.from('ada:lovelace').toString('base64') }]),
  );
  writeFileSync(join(temp, 'config.json'), JSON.stringify({ auths }));
  process.env['DOCKER_CONFIG'] = temp;
  ours = await new TestDaemon(temp, 'ours', OURS).ready();
  theirs = await new TestDaemon(temp, 'theirs', REAL).ready();
});
afterAll(async () => {
  await ours?.stop();
  await theirs?.stop();
  await cleanup.disposeAsync();
  rmSync(temp, { recursive: true, force: true });
});

async function build(daemon: TestDaemon, word: string, ...args: readonly string[]): Promise<string> {
  writeFileSync(join(context, 'word'), word);
  const { code, text } = await daemon.run([
    ...['build', '--progress=plain', '--frontend=dockerfile.v0', '--local', `context=${context}`],
    ...['--local', `dockerfile=${context}`, ...args],
  ]);
  if (code !== 0) throw new Error(text);
  return text;
}

const cacheTo = (name: string, more = '') => ['--export-cache', `type=registry,ref=${name},mode=max${more}`];

const start = (...args: readonly string[]): ChildProcess =>
  spawn(join(import.meta.dirname, '../../../bin/slipway'), ['cache', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DOCKER_CONFIG: temp },
  });
const slipway = (...args: readonly string[]) => outcome(start(...args));

async function json(...args: readonly string[]) {
  const { code, text } = await slipway(...args, '-o', 'json');
  expect({ code, text }).toMatchObject({ code: 0 });
  return JSON.parse(text);
}

function open(name: string): Repository {
  const slash = name.indexOf('/');
  const client = cleanup.use(new RegistryClient());
  return client.repository(
    { domain: name.slice(0, slash), path: name.slice(slash + 1) },
    staticCredentials('ada', 'lovelace'),
  );
}

/** Those that a tag needs and that are not there. */
async function missing(repository: Repository, digests: Iterable<Digest>): Promise<readonly Digest[]> {
  const gone: Digest[] = [];
  for (const digest of digests) if ((await repository.hasBlob(digest, { signal })) === undefined) gone.push(digest);
  return gone;
}

async function incomplete(repository: Repository): Promise<readonly string[]> {
  const tags = await readTags(repository, { signal });
  const gone = await Promise.all(tags.map(({ blobs }) => missing(repository, blobs.keys())));
  return tags.flatMap(({ tag, fault }, i) => (gone[i]!.length > 0 || fault !== undefined ? [tag] : []));
}

describe.each(['docker', 'embedded'])('%s registry', (registry) => {
  test('cache mounts are saved after the client has its answer, and are listed, explained, restored and pruned', async () => {
    const name = `${hosts[registry]}/team/mounts`;
    const dockerfile = (script: string) => {
      const run = `RUN --mount=type=cache,id=go,target=/go ${script}`;
      return `FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n${run}\n`;
    };
    const other = join(temp, `mounts-${registry}`);
    mkdirSync(other);
    copyFileSync('/bin/busybox', join(other, 'busybox'));
    const run = async (script: string, ...args: readonly string[]) => {
      writeFileSync(join(other, 'Dockerfile'), dockerfile(script));
      const locals = ['--local', `context=${other}`, '--local', `dockerfile=${other}`];
      const { code, text } = await ours.run([
        'build',
        '--progress=plain',
        '--frontend=dockerfile.v0',
        ...locals,
        ...args,
      ]);
      if (code !== 0) throw new Error(text);
      return text;
    };
    const saved = await run(
      `echo kept > /go/file; : ${registry}`,
      '--export-cache',
      `type=mounts,ref=${name},ids=go;npm`,
    );
    expect(saved).toContain(`saving cache mounts to ${name} in the background: go`);
    let listed: readonly { tag: string; kind: string; layers: number; createdAt: string }[] = [];
    while (listed.length === 0) {
      const { code, text } = await slipway('ls', name, '-o', 'json');
      if (code === 0) listed = JSON.parse(text);
      else await delay(100);
    }
    expect(listed).toMatchObject([{ kind: 'mounts', layers: 1 }]);
    const tag = listed[0]?.tag ?? '';
    expect(tag).toMatch(/^mount-[0-9a-f]{64}$/);
    expect(await json('inspect', `${name}:${tag}`)).toMatchObject({
      ...{ kind: 'mounts', id: 'go' },
      chunks: [{ sharedWith: [] }],
    });
    expect((await slipway('inspect', `${name}:${tag}`)).text).toMatch(/cache mount go, .* in 1 chunks, saved/);

    expect(await ours.run(['prune', '--all'])).toMatchObject({ code: 0 });
    expect(await run('cat /go/file', '--import-cache', `type=mounts,ref=${name}`)).toContain(' kept');

    expect(await slipway('prune', name, '--older-than', '1h')).toMatchObject({
      code: 0,
      text: 'deleted 0 of 1 caches\n',
    });
    const pruned = await slipway('prune', name, '--keep-last', '0');
    expect(pruned.text).toContain(`deleted ${tag}`);
  });

  test('what both daemons wrote is listed, explained, and pruned without a loss for what stays', async () => {
    const name = `${hosts[registry]}/team/app`;
    const repository = open(name);
    for (const daemon of [theirs, ours]) expect(await daemon.run(['prune', '--all'])).toMatchObject({ code: 0 });
    await build(theirs, 'one', ...cacheTo(`${name}:one`));
    await build(theirs, 'two', ...cacheTo(`${name}:two`, ',image-manifest=true'));
    await build(ours, 'three', ...cacheTo(`${name}:three`));
    await build(ours, 'image', '--output', `type=image,name=${name}:image,push=true`);

    const listed: readonly { tag: string; kind: string; records: number; size: number }[] = await json('ls', name);
    expect(listed.map(({ tag, kind }) => `${tag} ${kind}`).sort()).toEqual([
      'image other',
      'one cache',
      'three cache',
      'two cache',
    ]);
    for (const { kind, records, size } of listed)
      if (kind === 'cache') expect([records > 3, size > 100_000]).toEqual([true, true]);
    const { text } = await slipway('ls', name);
    expect(text).toMatch(/^TAG +KIND +RECORDS +LAYERS +SIZE +AGE +SIGNED +DIGEST\n/);
    expect(text).toMatch(/\nthree +cache +\d+ +\d+ +[\d.]+[kM]B +0m +no +sha256:/);

    const graph = await json('inspect', `${name}:three`);
    expect(graph.records.some(({ step = '' }) => step.includes('cat /word'))).toBe(true);
    expect(graph.layers.some(({ sharedWith }: { sharedWith: string[] }) => sharedWith.includes('image'))).toBe(true);
    expect((await slipway('inspect', `${name}:two`)).text).toMatch(/\nLAYER +DIGEST +SIZE +SHARED WITH +STEP\n/);
    expect((await slipway('inspect', `${name}:two`, '-o', 'yaml')).text).toMatch(/^digest: sha256:/);

    const before = await readTags(repository, { signal });
    const doomed = before.filter(({ tag }) => tag === 'one' || tag === 'two').flatMap(({ blobs }) => [...blobs.keys()]);
    const dry = await slipway('prune', name, '--keep-last', '1', '--dry-run');
    expect(dry.text).toContain('would delete 2 of 3 caches');
    expect(await readTags(repository, { signal })).toEqual(before);

    // Who just found a blob there may be about to name it: blobs stay unless they are asked for.
    await build(ours, 'four', ...cacheTo(`${name}:four`));
    const first = await slipway('prune', name, '--keep-last', '3');
    expect(first).toMatchObject({ code: 0, text: expect.stringContaining('deleted one (') });
    expect(first.text).toContain("were left: the registry's own collection deletes them");
    expect(await missing(repository, doomed)).toEqual([]);
    const second = await slipway('prune', name, '--keep-last', '2', '--blobs');
    expect(second).toMatchObject({ code: 0, text: expect.stringContaining('deleted two (') });
    expect(second.text).toMatch(/and [1-9]\d* blobs of [\d.]+[kM]?B that nothing else needs/);
    expect((await missing(repository, doomed)).length).toBeGreaterThan(0);
    expect(await incomplete(repository)).toEqual([]);
    expect((await readTags(repository, { signal })).map(({ tag }) => tag).sort()).toEqual(['four', 'image', 'three']);

    // What stayed is used by both as before.
    for (const daemon of [theirs, ours]) {
      expect(await daemon.run(['prune', '--all'])).toMatchObject({ code: 0 });
      const found = await build(daemon, 'three', '--import-cache', `type=registry,ref=${name}:three`);
      expect(found).toMatch(/RUN cat \/word[^\n]*\n#\d+ CACHED/);
    }
  });

  test('a prune that is cut off leaves what is there by name whole', async () => {
    const name = `${hosts[registry]}/team/cut`;
    for (const word of ['a', 'b', 'c', 'd']) await build(ours, word, ...cacheTo(`${name}:${word}`));
    await using proxy = await FaultProxy.start(`http://${hosts[registry]}`);
    let deletions = 0;
    const held = Promise.withResolvers<void>();
    proxy.fault = (request) => {
      if (request.method !== 'DELETE' || ++deletions < 3) return undefined;
      held.resolve();
      return true;
    };
    const through = `${proxy.host}/team/cut`;
    const auths = { [proxy.host]: { auth: Buffer.from('ada:lovelace').toString('base64') } };
    const config = join(temp, `cut-${registry}`);
    mkdirSync(config);
    writeFileSync(join(config, 'config.json'), JSON.stringify({ auths }));
    const pruning = spawn(
      join(import.meta.dirname, '../../../bin/slipway'),
      ['cache', 'prune', through, '--keep-last', '0'],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, DOCKER_CONFIG: config } },
    );
    const ended = outcome(pruning);
    await Promise.race([held.promise, ended]);
    await delay(50);
    pruning.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130 });
    const repository = open(name);
    expect((await readTags(repository, { signal })).map(({ tag }) => tag).sort()).toEqual(['c', 'd']);
    expect(await incomplete(repository)).toEqual([]);
    // Who found a blob there may be about to name it.
    const needed = (await readTags(repository, { signal })).flatMap(({ blobs }) => [...blobs.keys()]);
    const last = await slipway('prune', name, '--keep-last', '1');
    expect(last).toMatchObject({ code: 0, text: expect.stringContaining('deleted 1 of 2 caches') });
    expect(last.text).toContain('so does --blobs');
    expect(await missing(repository, needed)).toEqual([]);
    expect(await incomplete(repository)).toEqual([]);
  });
});

test('a registry that deletes nothing is told of, and a repository that cannot be read whole is left alone', async () => {
  const name = `${hosts['docker']}/team/refused`;
  for (const word of ['a', 'b']) await build(ours, word, ...cacheTo(`${name}:${word}`));
  await using proxy = await FaultProxy.start(`http://${hosts['docker']}`);
  const through = `${proxy.host}/team/refused`;
  proxy.fault = (request, response) => {
    if (request.method !== 'DELETE') return undefined;
    response.writeHead(405).end();
    return true;
  };
  const refused = await slipway('prune', through, '--keep-last', '1');
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining('the registry deletes nothing') });
  expect(refused.text).toContain('storage.delete.enabled');
  // Where only blobs are not deleted, that is told and no failure.
  proxy.fault = (request, response) => {
    if (request.method === 'GET' && request.url?.includes('/manifests/')) {
      response.writeHead(403).end();
      return true;
    }
    return undefined;
  };
  expect(await slipway('prune', through, '--keep-last', '1')).toMatchObject({ code: 1 });
  proxy.fault = (request, response) => {
    if (request.method !== 'DELETE' || request.url?.includes('/blobs/') !== true) return undefined;
    response.writeHead(405).end();
    return true;
  };
  expect((await readTags(open(name), { signal })).map(({ tag }) => tag).sort()).toEqual(['a', 'b']);
  const left = await slipway('prune', through, '--keep-last', '1', '--blobs');
  expect(left).toMatchObject({ code: 0, text: expect.stringContaining('its own collection does') });
  expect(await incomplete(open(name))).toEqual([]);
});

test('more tags than one page has are all known', async () => {
  const name = `${hosts['embedded']}/team/many`;
  const repository = open(name);
  await build(ours, 'many', ...cacheTo(`${name}:many`));
  const { bytes, descriptor } = await repository.getManifest('many', { signal });
  const put = (n: number) => repository.putManifest(`tag-${n}`, { bytes, mediaType: descriptor.mediaType }, { signal });
  for (let n = 0; n < 1100; n += 20) await Promise.all(Array.from({ length: 20 }, (_, at) => put(n + at)));
  const listed = await json('ls', name);
  expect(listed).toHaveLength(1101);
  const [kept] = (await json('prune', name, '--keep-last', '1')).kept;
  expect(kept.tags).toHaveLength(1101);
});

test.each([
  [['prune', 'example.com/a'], 'say what stays'],
  [['prune', 'example.com/a:tag', '--keep-last', '1'], 'name the repository alone: example.com/a'],
  [['ls', 'example.com/a', '--dry-run'], 'go with prune'],
  [['prune', 'example.com/a', '--max-size', '3 apples'], '--max-size must be a size'],
  [['prune', 'example.com/a', '--older-than', 'yesterday'], '--older-than must be an age'],
  [['list', 'example.com/a'], 'is none of ls, inspect and prune'],
  [['ls'], 'name a repository'],
])('%j is refused', async (args, words) => {
  const refused = await slipway(...args);
  expect(refused.code).not.toBe(0);
  expect(refused.text).toContain(words);
});
