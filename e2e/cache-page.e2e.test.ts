import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCommandLine } from '../src/cli/command-line.ts';
import { dockerRegistry } from '../src/oci/registry-client/testing/docker-registry.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, dockerfileArgs, makeContext } from './support/context.ts';
import { buildctl, root } from './support/paths.ts';
import { run } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/** The page of the cache: each of its commands is run, in their order, and has printed what the page says. */
const page = readFileSync(path.join(root, 'docs/cache.md'), 'utf8');
const cleanup = new AsyncDisposableStack();
let folder: string;
let registry: string;
let builder: TestBuilder;

interface Block {
  readonly commands: string;
  /** Lines, of which `…` stands for anything. */
  readonly printed: readonly string[];
}

function blocks(): readonly Block[] {
  const found: { commands: string; printed: string[] }[] = [];
  for (const [, kind, text = ''] of page.matchAll(/^```(\w*)\n(.*?)^```$/gms)) {
    if (kind === 'sh') found.push({ commands: text, printed: [] });
    else if (kind === 'text') found.at(-1)?.printed.push(...text.split('\n').filter((line) => line !== ''));
    else throw new Error(`a block of ${kind || 'nothing'}: only sh is run, and text compared`);
  }
  return found;
}

beforeAll(async () => {
  folder = cleanup.use(tempFolder('cache-page')).path;
  const data = path.join(folder, 'registry');
  mkdirSync(data);
  registry = cleanup.use(await dockerRegistry(data)).host;
  builder = cleanup.use(await startBuilder(folder));
  const base = makeContext(path.join(folder, 'base'), { Dockerfile: BASE });
  const pushed = await run(buildctl, [
    ...['--addr', builder.address],
    ...dockerfileArgs(base, ['--output', `type=image,name=${registry}/base:1,push=true`]),
  ]);
  expect(pushed.code, pushed.output).toBe(0);
});
afterAll(() => cleanup.disposeAsync());

/** As the page has it, with what is there in place of its examples. */
const real = (text: string) =>
  text.replaceAll('unix:///run/buildkit/buildkitd.sock', builder.address).replaceAll('registry.example.com', registry);

test('every command of the page is run, and prints what the page says', async () => {
  const all = blocks();
  expect(all.length).toBeGreaterThan(8);
  const marks = all.map((_, n) => `<<< block ${n} >>>`);
  const script = path.join(folder, 'page.sh');
  writeFileSync(script, all.map(({ commands }, n) => `echo '${marks[n]}'\n${real(commands)}`).join('\n'));
  const work = path.join(folder, 'work');
  const bin = path.join(folder, 'bin');
  for (const directory of [work, bin]) mkdirSync(directory);
  writeFileSync(path.join(bin, 'buildctl'), `#!/bin/sh\nexec ${buildctl} "$@"\n`, { mode: 0o755 });
  const ran = await run('sh', ['-eu', script], {
    cwd: work,
    env: { PATH: `${bin}:${path.join(root, 'bin')}:${process.env['PATH']}`, SLIPWAY_ROOT: path.join(folder, 'none') },
  });
  expect(ran.code, ran.output).toBe(0);
  for (const [n, { printed }] of all.entries()) {
    const from = ran.stdout.indexOf(marks[n]!);
    const until = n + 1 < all.length ? ran.stdout.indexOf(marks[n + 1]!) : ran.stdout.length;
    const output = ran.stdout.slice(from, until).split('\n');
    for (const line of printed) {
      const parts = real(line)
        .split('…')
        .map((part) => RegExp.escape(part.trim()));
      const pattern = new RegExp(parts.join('.*'));
      expect(
        output.some((one) => pattern.test(one)),
        `${line}\nis not in\n${output.join('\n')}`,
      ).toBe(true);
    }
  }
});

test('commands within sentences are ones that there are', () => {
  const inline = [...page.matchAll(/`slipway ([^`]+)`/g)].map(([, args = '']) => args);
  expect(inline).toEqual(expect.arrayContaining(['explain NAME', 'explain --run NAME']));
  const complete = (args: string) => (args === 'build' ? 'build -f build.yaml' : args);
  for (const args of inline) expect(() => parseCommandLine(complete(args).split(' '))).not.toThrow();
});
