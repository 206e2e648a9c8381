import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeDefinition, FileActions, scratch } from '../../llb/index.ts';
import { OURS, type Output, outcome, TestDaemon } from './testing/test-daemon.ts';

const temp = mkdtempSync(join(tmpdir(), 'slipway-daemon-'));
afterAll(() => rmSync(temp, { recursive: true, force: true }));

/** Ours. */
class Daemon extends TestDaemon {
  constructor(name: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    super(temp, name, { ...OURS, args, env });
  }

  build(context: string, ...args: readonly string[]): Promise<Output> {
    return this.run([
      ...['build', '--progress', 'plain', '--frontend', 'dockerfile.v0'],
      ...['--local', `context=${context}`, '--local', `dockerfile=${context}`, ...args],
    ]);
  }

  get registry(): string {
    return readFileSync(join(this.root, 'registry-address'), 'utf8').trim();
  }
}

function context(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(temp, name);
  mkdirSync(directory, { recursive: true });
  copyFileSync('/bin/busybox', join(directory, 'busybox'));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  return directory;
}

const BASE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
`;

/** Names of the steps by how they ended. */
function steps(text: string): { readonly cached: readonly string[]; readonly ran: readonly string[] } {
  const names = new Map<string, string>();
  const cached: string[] = [];
  const ran: string[] = [];
  for (const line of text.split('\n')) {
    const [, number = '', rest = ''] = /^#(\d+) (.*)$/.exec(line) ?? [];
    if (rest === 'CACHED') cached.push(names.get(number) ?? '');
    else if (rest.startsWith('DONE')) ran.push(names.get(number) ?? '');
    else if (!names.has(number)) names.set(number, rest);
  }
  const isStep = (name: string) => /^\[.* ?\d+\/\d+\]/.test(name);
  return { cached: cached.filter(isStep), ran: ran.filter(isStep) };
}

describe('buildctl', () => {
  let daemon: Daemon;
  beforeAll(async () => {
    daemon = await new Daemon('main', ['--embedded-registry', '127.0.0.1:0']).ready();
  });
  afterAll(async () => {
    const { code } = await daemon.stop();
    expect(code).toBe(0);
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    expect(mounts.filter((line) => line.includes(temp))).toEqual([]);
    expect(readdirSync(temp)).not.toContain('main.sock');
  });

  test('builds, pushes, caches, and rebuilds what changed', async () => {
    const directory = context('app', {
      Dockerfile: `${BASE}FROM base\nWORKDIR /work\nCOPY a.txt .\nRUN cat a.txt a.txt > b.txt\nCMD ["cat", "/work/b.txt"]\n`,
      'a.txt': 'one\n',
    });
    const image = `${daemon.registry}/app:1`;
    const push = ['--output', `type=image,name=${image},push=true`];
    const first = await daemon.build(directory, ...push);
    expect(first.text).toContain('pushing manifest for');
    expect(steps(first.text).ran).toHaveLength(5);
    const inspect = execFileSync('skopeo', ['inspect', '--tls-verify=false', '--config', `docker://${image}`]);
    expect(JSON.parse(inspect.toString())).toMatchObject({
      os: 'linux',
      config: { Cmd: ['cat', '/work/b.txt'], WorkingDir: '/work' },
    });

    // A touched file and another comment change nothing…
    utimesSync(join(directory, 'a.txt'), 1, 1);
    writeFileSync(join(directory, 'Dockerfile'), `# comment\n${readFileSync(join(directory, 'Dockerfile'), 'utf8')}`);
    const second = await daemon.build(directory, ...push);
    expect(steps(second.text)).toMatchObject({ ran: [], cached: { length: 5 } });

    // …new content does, from where it is used.
    writeFileSync(join(directory, 'a.txt'), 'two\n');
    const out = join(temp, 'out');
    const third = await daemon.build(directory, '--output', `type=local,dest=${out}`);
    expect(steps(third.text).ran).toEqual(['[stage-1 2/3] COPY a.txt .', '[stage-1 3/3] RUN cat a.txt a.txt > b.txt']);
    expect(readFileSync(join(out, 'work/b.txt'), 'utf8')).toBe('two\ntwo\n');

    const fourth = await daemon.build(directory, '--no-cache');
    expect(steps(fourth.text)).toMatchObject({ cached: [], ran: { length: 5 } });
  });

  test('an image that several stages stand on is looked up, and told, once', async () => {
    const name = `${daemon.registry}/told`;
    const stages = (from: string) =>
      `FROM ${from} AS a\nFROM ${from} AS b\nFROM ${from}\nCOPY --from=a /bin /a\nCOPY --from=b /bin /b\n`;
    const directory = context('told', { Dockerfile: BASE, named: stages('told'), plain: stages(name) });
    await daemon.build(directory, `--output=type=image,name=${name},push=true`);
    for (const args of [['plain'], ['named', `--opt=context:told=docker-image://${name}`]]) {
      const { text } = await daemon.build(
        directory,
        ...['--progress=rawjson', `--opt=filename=${args[0]}`, ...args.slice(1)],
      );
      expect(new Set(text.match(/load metadata for[^}]*"completed":"[^"]*"/g)).size, text).toBe(1);
    }
  });

  test('an owner or a mode is content', async () => {
    const directory = context('owner', { Dockerfile: 'FROM scratch\nCOPY a.txt /\n', 'a.txt': 'one\n' });
    await daemon.build(directory);
    expect(steps((await daemon.build(directory)).text).cached).toHaveLength(1);
    execFileSync('chmod', ['600', join(directory, 'a.txt')]);
    expect(steps((await daemon.build(directory)).text).ran).toHaveLength(1);
    chownSync(join(directory, 'a.txt'), 1234, 1234); // the client sends files as root’s
    expect(steps((await daemon.build(directory)).text).cached).toHaveLength(1);
  });

  test('shows a failing step with its line and its log, and never runs a stage that nothing needs', async () => {
    const directory = context('fail', {
      Dockerfile: `${BASE}FROM base AS bad\nRUN echo telling && exit 3\nFROM base\nRUN true\n`,
    });
    expect((await daemon.build(directory)).code).toBe(0);
    const { code, text } = await daemon.build(directory, '--opt', 'target=bad');
    expect(code).toBe(1);
    expect(text).toMatch(/Dockerfile:5\n/);
    expect(text).toMatch(/>>> RUN echo telling && exit 3/);
    expect(text).toMatch(/ telling\n/);
    expect(text).toContain('exit code: 3');
  });

  test('solves a graph from standard input', async () => {
    const files = new FileActions().mkfile('/greeting', 0o644, Buffer.from('hello'));
    const definition = encodeDefinition(scratch().file(files).marshal());
    const out = join(temp, 'graph');
    const { code, text } = await daemon.run(['build', '--output', `type=local,dest=${out}`], { input: definition });
    expect(text).not.toContain('error');
    expect(code).toBe(0);
    expect(readFileSync(join(out, 'greeting'), 'utf8')).toBe('hello');
  });

  test('a secret is given to the step and kept nowhere', async () => {
    const value = `very-secret-${process.pid}-value`;
    const directory = context('secret', {
      Dockerfile: `${BASE}FROM base\nRUN --mount=type=secret,id=token wc -c /run/secrets/token > /size\n`,
    });
    const file = join(temp, 'token');
    writeFileSync(file, value);
    const out = join(temp, 'secret-out');
    const { code, text } = await daemon.build(
      directory,
      ...['--secret', `id=token,src=${file}`, '--output', `type=local,dest=${out}`],
    );
    expect(code).toBe(0);
    expect(readFileSync(join(out, 'size'), 'utf8')).toContain(String(value.length));
    expect(text).not.toContain(value);
    const grep = () => execFileSync('grep', ['-r', '-l', '-a', value, daemon.root], { stdio: 'pipe' });
    expect(grep).toThrow(expect.objectContaining({ status: 1 }));
  });

  test('a cancelled build ends its step, and the others go on', async () => {
    const asleep = `sleep 4${process.pid}`;
    const directory = context('cancel', { Dockerfile: `${BASE}FROM base\nRUN echo begun && ${asleep}\n` });
    const other = context('other', { Dockerfile: `${BASE}FROM base\nRUN sleep 1 && echo fine\n` });
    const child = daemon.spawn([
      ...['build', '--progress', 'plain', '--frontend', 'dockerfile.v0'],
      ...['--local', `context=${directory}`, '--local', `dockerfile=${directory}`],
    ]);
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    let told = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      told += chunk.toString();
      if (told.includes(' begun\n')) resolve();
    });
    const ended = outcome(child);
    await begun;
    const unharmed = daemon.build(other);
    child.kill('SIGINT');
    expect((await ended).text).toMatch(/context canceled/);
    expect((await unharmed).code).toBe(0);
    // The client does not wait for it.
    const left = () => spawnSync('pgrep', ['-f', asleep], { encoding: 'utf8' }).stdout;
    await expect.poll(left).toBe('');
  });

  test('tells of workers and disk usage, and prunes', async () => {
    expect((await daemon.run(['debug', 'workers'])).text).toMatch(/linux\/amd64|linux\/arm64/);
    expect((await daemon.run(['du'])).text).toMatch(/Total:\s+[1-9]/);
    expect((await daemon.run(['prune', '--all'])).code).toBe(0);
    expect((await daemon.run(['du'])).text).toMatch(/Total:\s+0B/);
    const directory = join(temp, 'app');
    expect(steps((await daemon.build(directory)).text)).toMatchObject({ cached: [], ran: { length: 5 } });
  });

  test('refuses by name what is not built', async () => {
    const directory = join(temp, 'app');
    const { code, text } = await daemon.build(directory, '--export-cache', 'type=floppy,name=b');
    expect(code).toBe(1);
    expect(text).toContain('cache exports');
    expect((await daemon.build(directory, '--output', 'type=nonsense')).text).toContain('nonsense');
  });
});

test('daemons run side by side, each on its own root; one root has one daemon; a killed one is taken over', async () => {
  const directory = context('side', {
    Dockerfile: `${BASE}FROM base\nRUN yes '' | head -n 5000 | tr '\\n' z; echo built > /x\n`,
  });
  const terse = { BUILDKIT_STEP_LOG_MAX_SIZE: '1000', BUILDKIT_STEP_LOG_MAX_SPEED: '-1' };
  const [one, two] = await Promise.all([new Daemon('one', [], terse).ready(), new Daemon('two').ready()]);
  const built = await Promise.all([one.build(directory), two.build(directory)]);
  expect(built.map(({ code }) => code)).toEqual([0, 0]);
  // The environment bounds what a screen shows of a step, and nothing of what is recorded.
  const zs = (text: string) => text.match(/z{20,}/g)?.join('').length;
  expect(built[0].text).toContain('[output clipped, log limit 1KiB reached]');
  const [, recorded = ''] = /^COMPLETE\t(\S+)/m.exec((await one.run(['debug', 'histories'])).text) ?? [];
  expect([...built.map(({ text }) => zs(text)), zs((await one.run(['debug', 'logs', recorded])).text)]).toEqual([
    ...[1000, 5000, 5000],
  ]);
  const second = spawn(OURS.path, ['--root', one.root, '--addr', `unix://${join(temp, 'second.sock')}`]);
  expect(await outcome(second)).toMatchObject({ code: 1, text: expect.stringContaining('in use') });
  expect((await one.stop()).code).toBe(0);
  // A screen shows the beginning of what is printed too much and too fast, the history all of it.
  const lines = 150_000;
  const loud = context('loud', {
    Dockerfile: `${BASE}FROM base\nRUN yes '${'0123456789'.repeat(13)}' | head -n ${lines}; echo the end\n`,
  });
  const shown = await two.build(loud);
  expect(shown.text).toContain('[output clipped, log limit ');
  const printed = (text: string) => text.match(/^#\d+ \d+\.\d+ (0123456789){13}$/gm)?.length ?? 0;
  expect(printed(shown.text)).toBeLessThan(lines / 2);
  // What ran when it was killed has failed; what it and the others printed can still be read.
  const hanging = context('hanging', { Dockerfile: `${BASE}FROM base\nRUN echo tel''ling && sleep 4322\n` });
  const ended = outcome(
    two.spawn([
      ...['build', '--progress', 'plain', '--frontend', 'dockerfile.v0'],
      ...['--local', `context=${hanging}`, '--local', `dockerfile=${hanging}`],
    ]),
  );
  const histories = async (daemon: Daemon) => {
    const { text } = await daemon.run(['debug', 'histories']);
    return text.split('\n').flatMap((line) => /^(STARTED|COMPLETE)\t(\S+)/.exec(line)?.slice(1, 3) ?? []);
  };
  const logged = async (daemon: Daemon, ref: string) => (await daemon.run(['debug', 'logs', ref])).text;
  await expect
    .poll(() => execFileSync('grep', ['-r', '-l', 'telling', join(two.root, 'history')], { encoding: 'utf8' }))
    .not.toBe('');
  const before = await histories(two);
  expect(before).toEqual([
    'STARTED',
    expect.any(String),
    ...['COMPLETE', 'COMPLETE'].flatMap((type) => [type, expect.any(String)]),
  ]);
  await two.stop('SIGKILL');
  await ended;
  rmSync(join(temp, 'two.sock'), { force: true });
  const again = await new Daemon('two').ready();
  const [hung = '', done = '', whole = ''] = [before[1], before[3], before[5]];
  expect(await histories(again)).toEqual(['COMPLETE', done, 'COMPLETE', whole, 'COMPLETE', hung]);
  const all = await logged(again, whole);
  expect(all).toMatch(/^#\d+ \d+\.\d+ the end$/m);
  expect(printed(all)).toBe(lines);
  expect(await logged(again, hung)).toMatch(/RUN echo tel''ling[\s\S]* telling\n/);
  expect(await logged(again, done)).toMatch(/echo built[\s\S]*#\d+ DONE/);
  const killed = await again.run(['debug', 'histories', '--format', '{{json .}}']);
  expect(killed.text).toContain('"error":{"code":2,"message":"the builder ended while the build ran"}');
  expect((await again.run(['debug', 'ctl', '--delete', hung])).code).toBe(0);
  expect(await logged(again, hung)).toContain(`no such job ${hung}`);
  expect(steps((await again.build(directory)).text)).toMatchObject({ ran: [], cached: { length: 3 } });
  expect((await again.stop()).code).toBe(0);
});
