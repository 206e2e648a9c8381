import { execFile, spawn } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../../base/index.ts';
import { WorkerPool } from '../../../sys/index.ts';
import { checkout } from './checkout.ts';
import { Git, type GitAccess } from './git-command.ts';
import { checkChecksum, fetchInto, type ResolvedRef, resolveRef, withMirror } from './mirror.ts';
import { tidyMirror } from './mirror-upkeep.ts';

const signal = neverAborted;
const run = promisify(execFile);

let folder: string;
let cleanup: AsyncDisposableStack;
const pool = new WorkerPool({ name: 'test', threads: 1 });
afterAll(() => pool.close());
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  folder = await mkdtemp(join(tmpdir(), 'slipway-git-test-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
});
afterEach(() => cleanup.disposeAsync());

const identity = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
  GIT_AUTHOR_DATE: '1700000000 +0000',
  GIT_COMMITTER_DATE: '1700000000 +0000',
  GIT_CONFIG_GLOBAL: '/dev/null',
  PATH: process.env['PATH'] ?? '',
};

async function author(repository: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-c', 'protocol.file.allow=always', ...args], {
    cwd: repository,
    env: identity,
  });
  return stdout.trim();
}

async function repository(name: string, files: Record<string, string>): Promise<string> {
  const path = join(folder, 'srv', name);
  await mkdir(path, { recursive: true });
  await author(path, 'init', '-q', '-b', 'main');
  for (const [file, text] of Object.entries(files)) {
    await mkdir(join(path, file, '..'), { recursive: true });
    await writeFile(join(path, file), text);
  }
  await author(path, 'add', '-A');
  await author(path, 'commit', '-qm', 'one');
  return path;
}

/** git's own HTTP backend over the repositories, which may ask for an Authorization header. */
async function serve(authorization?: string): Promise<string> {
  const server = createServer((req, res) => {
    if (authorization !== undefined && req.headers.authorization !== authorization) {
      res.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    const url = new URL(req.url ?? '/', 'http://x');
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: join(folder, 'srv'),
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_COUNT: '2',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        GIT_CONFIG_KEY_1: 'uploadpack.allowReachableSHA1InWant',
        GIT_CONFIG_VALUE_1: 'true',
        GIT_PROTOCOL: String(req.headers['git-protocol'] ?? ''),
        REQUEST_METHOD: req.method,
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: req.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: String(req.headers['content-encoding'] ?? ''),
        CONTENT_LENGTH: req.headers['content-length'] ?? '',
      },
    });
    req.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdout.on('end', () => {
      const all = Buffer.concat(chunks);
      const end = all.indexOf('\r\n\r\n');
      const headers = Object.fromEntries(
        all
          .toString('utf8', 0, end)
          .split('\r\n')
          .map((line) => line.split(': ') as [string, string]),
      );
      const { Status, ...rest } = headers;
      res.writeHead(Number.parseInt(Status ?? '200', 10), rest);
      res.end(all.subarray(end + 4));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function openGit(access: Partial<GitAccess> = {}): Promise<Git> {
  return cleanup.use(await Git.open({ config: {}, ...access }, { signal, owner: HOUSE, pool }));
}

interface Wanted {
  readonly ref?: string;
  readonly subdir?: string;
  readonly keepGitDir?: boolean;
  readonly submodules?: boolean;
  readonly commitTimes?: boolean;
}

let checkouts = 0;
async function fetchAndCheckOut(
  git: Git,
  url: string,
  wanted: Wanted = {},
): Promise<{ target: string; resolved: ResolvedRef }> {
  const resolved = await resolveRef(git, url, wanted.ref ?? '');
  await mkdir(join(folder, 'mirror'), { recursive: true });
  const target = await withMirror(git, join(folder, 'mirror'), false, async (gitDir) => {
    await fetchInto(git, gitDir, url, resolved);
    const into = join(folder, `checkout-${checkouts++}`);
    await mkdir(into);
    await checkout(git, gitDir, into, {
      signal,
      url,
      resolved,
      subdir: wanted.subdir ?? '',
      keepGitDir: wanted.keepGitDir ?? false,
      submodules: wanted.submodules ?? true,
      commitTimes: wanted.commitTimes ?? false,
    });
    return into;
  });
  return { target, resolved };
}

describe('repositories over http', () => {
  test('branches, tags, commits, subdirectories, and the mirror that grows with them', async () => {
    const path = await repository('app.git', { 'a.txt': 'one', 'sub/dir/b.txt': 'b', 'run.sh': '#!/bin/sh\n' });
    const first = await author(path, 'rev-parse', 'HEAD');
    await author(path, 'tag', '-a', 'v1', '-m', 'first');
    await author(path, 'checkout', '-q', '-b', 'next');
    await writeFile(join(path, 'a.txt'), 'two');
    await author(path, 'commit', '-qam', 'two');
    const second = await author(path, 'rev-parse', 'HEAD');
    await author(path, 'checkout', '-q', 'main');
    const url = `${await serve()}/app.git`;
    const git = await openGit();

    const main = await fetchAndCheckOut(git, url);
    expect(main.resolved).toEqual({ ref: 'refs/heads/main', object: first });
    expect((await readdir(main.target)).sort()).toEqual(['a.txt', 'run.sh', 'sub']);
    const next = await fetchAndCheckOut(git, url, { ref: 'next' });
    expect(next.resolved.object).toBe(second);
    expect(await readFile(join(next.target, 'a.txt'), 'utf8')).toBe('two');
    const tag = await fetchAndCheckOut(git, url, { ref: 'v1', subdir: 'sub/dir', commitTimes: true });
    expect(tag.resolved).toMatchObject({ ref: 'refs/tags/v1', tagged: first });
    expect(await readdir(tag.target)).toEqual(['b.txt']);
    expect((await stat(join(tag.target, 'b.txt'))).mtimeMs).toBe(1_700_000_000_000);
    const commit = await fetchAndCheckOut(git, url, { ref: first });
    expect(await readFile(join(commit.target, 'a.txt'), 'utf8')).toBe('one');
    expect((await lstat(join(commit.target, 'a.txt'))).mode & 0o777).toBe(0o644);

    checkChecksum(tag.resolved, first.slice(0, 8));
    expect(() => checkChecksum(tag.resolved, second)).toThrow(/expected/);
    await expect(resolveRef(git, url, 'missing')).rejects.toMatchObject({ code: 'not_found' });
    await expect(resolveRef(git, url, first.slice(0, 7))).rejects.toMatchObject({
      hint: expect.stringContaining('full'),
    });
    await expect(fetchAndCheckOut(git, url, { subdir: 'a.txt' })).rejects.toThrow(/no directory/);
    await expect(fetchAndCheckOut(git, url, { ref: '0'.repeat(40) })).rejects.toMatchObject({ code: 'not_found' });
    await expect(resolveRef(git, `${new URL(url).origin}/nothing.git`, 'main')).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  describe('a mirror that', () => {
    const mirror = () => join(folder, 'mirror/mirror.git');

    async function fetched(): Promise<{ readonly url: string; readonly path: string }> {
      const path = await repository('app.git', { 'a.txt': 'one', big: 'x'.repeat(100_000) });
      const url = `${await serve()}/app.git`;
      await fetchAndCheckOut(await openGit(), url);
      await writeFile(join(path, 'a.txt'), 'two');
      await author(path, 'commit', '-qam', 'two');
      return { url, path };
    }

    test('a killed git left in the middle is cleared', async () => {
      const { url } = await fetched();
      // As SIGKILL leaves it: locks of what was being written, half of a pack, and our own mark.
      for (const name of ['shallow.lock', 'packed-refs.lock', 'HEAD.lock', 'slipway-in-use'])
        await writeFile(join(mirror(), name), '');
      await mkdir(join(mirror(), 'refs/slipway'), { recursive: true });
      await writeFile(join(mirror(), 'refs/slipway/incoming.lock'), '');
      await mkdir(join(mirror(), 'objects/pack'), { recursive: true });
      await writeFile(join(mirror(), 'objects/pack/tmp_pack_abc'), 'half');
      const { target } = await fetchAndCheckOut(await openGit(), url);
      expect(await readFile(join(target, 'a.txt'), 'utf8')).toBe('two');
      const left = await readdir(mirror(), { recursive: true });
      expect(left.filter((name) => /\.lock$|tmp_|slipway-in-use/.test(name))).toEqual([]);
    });

    test('has many commits keeps the newest in one pack, and fetches the others again', async () => {
      const { url, path } = await fetched();
      const git = await openGit();
      const commits: string[] = [];
      for (let n = 0; n < 6; n++) {
        await writeFile(join(path, 'a.txt'), `${n} ${'y'.repeat(10_000)}`);
        await author(path, 'commit', '-qam', `${n}`, '--date', `${1_700_000_100 + n} +0000`);
        commits.push((await fetchAndCheckOut(git, url)).resolved.object);
      }
      const has = async (commit: string) =>
        (await git.try(['cat-file', '-e', commit], { gitDir: mirror() })).code === 0;
      await tidyMirror(git, mirror(), { most: 100, kept: 2 });
      expect(await Promise.all(commits.map(has))).not.toContain(false);
      const used = async () =>
        Number((await run('du', ['-s', '--apparent-size', '-B1', mirror()])).stdout.split('\t')[0]);
      const before = await used();
      await tidyMirror(git, mirror(), { most: 5, kept: 2 });
      expect((await Promise.all(commits.map(has))).filter((there) => there)).toHaveLength(2);
      expect((await readdir(join(mirror(), 'objects/pack'))).filter((name) => name.endsWith('.pack'))).toHaveLength(1);
      expect(await used()).toBeLessThan(before);
      const { target } = await fetchAndCheckOut(git, url, { ref: commits[0]! });
      expect(await readFile(join(target, 'a.txt'), 'utf8')).toMatch(/^0 y/);
    });

    test('was made by half is made anew', async () => {
      const { url } = await fetched();
      await rm(join(mirror(), 'config'));
      const { target } = await fetchAndCheckOut(await openGit(), url);
      expect(await readFile(join(target, 'a.txt'), 'utf8')).toBe('two');
    });

    test.each<[string, (file: string) => Promise<void>]>([
      ['lost files', (file) => rm(file)],
      ['has files cut short', (file) => truncate(file, 20)],
      ['has files of zeros', async (file) => writeFile(file, Buffer.alloc((await stat(file)).size))],
    ])('%s is made anew', async (_name, damage) => {
      const { url } = await fetched();
      const objects = await readdir(join(mirror(), 'objects'), { recursive: true, withFileTypes: true });
      for (const entry of objects) {
        if (!entry.isFile()) continue;
        await chmod(join(entry.parentPath, entry.name), 0o644);
        await damage(join(entry.parentPath, entry.name));
      }
      const { target } = await fetchAndCheckOut(await openGit(), url);
      expect(await readFile(join(target, 'a.txt'), 'utf8')).toBe('two');
      expect((await readFile(join(target, 'big'))).length).toBe(100_000);
    });

    test('is sound stays when the remote fails', async () => {
      const { url } = await fetched();
      const resolved = await resolveRef(await openGit(), url, '');
      const kept = await stat(join(mirror(), 'config'));
      const gone = withMirror(await openGit(), join(folder, 'mirror'), false, async (gitDir) =>
        fetchInto(await openGit(), gitDir, 'http://127.0.0.1:1/app.git', resolved),
      );
      await expect(gone).rejects.toMatchObject({ code: 'unavailable' });
      expect((await stat(join(mirror(), 'config'))).ino).toBe(kept.ino);
    });
  });

  test.each([
    'nonsense',
    'foo://bar/x',
    'https://host:99999/x',
    'ht!tp://x/y',
  ])('a submodule at %s is the user’s fault', async (to) => {
    await repository('lib.git', { 'lib.txt': 'lib' });
    const app = await repository('app.git', { 'a.txt': 'one' });
    const base = await serve();
    await author(app, 'submodule', '--quiet', 'add', `${base}/lib.git`, 'lib');
    await author(app, 'config', '-f', '.gitmodules', 'submodule.lib.url', to);
    await author(app, 'commit', '-qam', 'submodule');
    const error = await fetchAndCheckOut(await openGit(), `${base}/app.git`).catch((e: unknown) => e);
    expect(error).toMatchObject({ fault: expect.stringMatching(/^(user|policy)$/) });
  });

  test('a kept .git is a repository of that commit, without secrets or hooks', async () => {
    await repository('app.git', { 'a.txt': 'one' });
    const base = await serve();
    const git = await openGit({ config: { [`http.${base}/.extraheader`]: 'Authorization: Basic c2VjcmV0' } });
    const { target, resolved } = await fetchAndCheckOut(git, `${base}/app.git`, { keepGitDir: true });
    expect(await author(target, '-c', 'safe.directory=*', 'rev-parse', 'HEAD')).toBe(resolved.object);
    expect(await author(target, 'status', '--porcelain')).toBe('');
    expect(await author(target, 'branch', '--show-current')).toBe('main');
    expect(await readFile(join(target, '.git/config'), 'utf8')).not.toContain('c2VjcmV0');
    expect(await author(target, 'remote', 'get-url', 'origin')).toBe(`${base}/app.git`);
  });

  test('submodules come along unless skipped, never by a local path', async () => {
    await repository('lib.git', { 'lib.txt': 'lib' });
    const app = await repository('app.git', { 'a.txt': 'one' });
    const base = await serve();
    await author(app, 'submodule', '--quiet', 'add', `${base}/lib.git`, 'vendor/lib');
    await author(app, 'config', '-f', '.gitmodules', 'submodule.vendor/lib.url', '../lib.git');
    await author(app, 'commit', '-qam', 'submodule');
    const git = await openGit();
    const whole = await fetchAndCheckOut(git, `${base}/app.git`);
    expect(await readdir(join(whole.target, 'vendor/lib'))).toEqual(['lib.txt']);
    expect(await readdir(whole.target)).not.toContain('.git');
    const skipped = await fetchAndCheckOut(git, `${base}/app.git`, { submodules: false });
    expect(await readdir(join(skipped.target, 'vendor/lib'))).toEqual([]);
    await author(app, 'config', '-f', '.gitmodules', 'submodule.vendor/lib.url', join(folder, 'srv/lib.git'));
    await author(app, 'commit', '-qam', 'local');
    await expect(fetchAndCheckOut(git, `${base}/app.git`)).rejects.toMatchObject({ code: 'permission_denied' });
  });

  test('a secret goes as a header to that host, and its lack is told as such', async () => {
    await repository('app.git', { 'a.txt': 'one' });
    const base = await serve('Basic c2VjcmV0');
    const url = `${base}/app.git`;
    await expect(resolveRef(await openGit(), url, 'main')).rejects.toMatchObject({
      code: 'unauthenticated',
      hint: expect.stringContaining('GIT_AUTH_TOKEN'),
    });
    const git = await openGit({ config: { [`http.${base}/.extraheader`]: 'Authorization: Basic c2VjcmV0' } });
    expect(await readdir((await fetchAndCheckOut(git, url)).target)).toEqual(['a.txt']);
  });

  test('a symlink as subdirectory is refused', async () => {
    const path = await repository('app.git', { 'a.txt': 'one' });
    await run('ln', ['-s', '/etc', join(path, 'etc')]);
    await author(path, 'add', 'etc');
    await author(path, 'commit', '-qm', 'link');
    await expect(fetchAndCheckOut(await openGit(), `${await serve()}/app.git`, { subdir: 'etc' })).rejects.toThrow(
      /no directory/,
    );
  });
});
