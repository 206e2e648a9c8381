/**
 * The same work through Slipway and through `buildkitd`, side by side: one client (`buildctl`), one registry, both states on one journaled file system,
 * rounds interleaved. Prints a table of minima and ratios and writes it to docs/benchmarks.md; given a part of a case's name, measures that case alone and
 * writes nothing. Run by `npm run bench`; needs root.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Builder, startBuilder } from './builders.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

const root = path.resolve(import.meta.dirname, '..');
const cache =
  process.env['SLIPWAY_CACHE'] ?? path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'slipway');
const buildctl = path.join(cache, 'tools/buildctl');
const only = process.argv[2];
/** Before each build: what the one before left to be done in the background is nobody else's cost. */
const SETTLE_MS = 400;

function must(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr || result.error?.message}`);
}

/** A fresh ext4 with a journal in a file: without one, ext4 makes whoever creates files after a removal pay for it. */
function mountState(work: string): string {
  const image = path.join(work, 'state.ext4');
  const mountpoint = path.join(work, 'state');
  mkdirSync(mountpoint);
  must('truncate', ['-s', '12G', image]);
  must('mkfs.ext4', ['-q', '-F', image]);
  must('mount', ['-o', 'loop', image, mountpoint]);
  return mountpoint;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startRegistry(work: string): Promise<{ host: string; stop: () => void }> {
  const port = await freePort();
  const config = path.join(work, 'registry.yml');
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${work}/state/registry}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  const server = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  for (let tries = 0; tries < 100; tries++) {
    const up = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (up) break;
    await sleep(100);
  }
  return { host: `127.0.0.1:${port}`, stop: () => server.kill('SIGTERM') };
}

function buildOnce(
  builder: Builder,
  workload: Workload,
  context: string,
  args: Readonly<Record<string, string>>,
  registry: string,
  tag: string,
): number {
  const started = performance.now();
  const result = spawnSync(
    buildctl,
    [
      '--addr',
      builder.address,
      'build',
      '--progress=plain',
      '--frontend',
      'dockerfile.v0',
      '--local',
      `context=${context}`,
      '--local',
      `dockerfile=${context}`,
      ...Object.entries(args).flatMap(([key, value]) => ['--opt', `build-arg:${key}=${value}`]),
      ...(workload.push
        ? ['--output', `type=image,name=${registry}/${builder.name}:${tag},push=true,registry.insecure=true`]
        : []),
    ],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  const ms = performance.now() - started;
  if (result.status !== 0) throw new Error(`${builder.name}: ${workload.name} failed:\n${result.stderr.slice(-4000)}`);
  return ms;
}

interface Row {
  readonly name: string;
  readonly minima: readonly number[];
  readonly medians: readonly number[];
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;

async function measure(workload: Workload, builders: readonly Builder[], work: string, registry: string): Promise<Row> {
  const times = builders.map(() => [] as number[]);
  for (let round = 0; round < workload.rounds; round++) {
    const context = path.join(work, 'context', String(round));
    const { args } = workload.prepare(context, round);
    if (workload.warm && round === 0)
      for (const builder of builders) buildOnce(builder, workload, context, args, registry, 'warm');
    // Who goes first alternates, so that neither always finds the page cache warm.
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    for (const at of order) {
      await sleep(SETTLE_MS);
      (times[at] as number[]).push(buildOnce(builders[at] as Builder, workload, context, args, registry, `r${round}`));
    }
  }
  rmSync(path.join(work, 'context'), { recursive: true, force: true });
  return {
    name: workload.name,
    minima: times.map((list) => Math.min(...list)),
    medians: times.map(median),
  };
}

function line({ name, minima: [ours = 0, theirs = 0], medians: [usual = 0, theirUsual = 0] }: Row): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  const rounds = WORKLOADS.find((each) => each.name === name)?.rounds;
  const ratios = `**${(ours / theirs).toFixed(2)}** | ${(usual / theirUsual).toFixed(2)}`;
  return `| ${name} | ${rounds} | ${seconds(ours)} | ${seconds(theirs)} | ${ratios} |`;
}

function report(rows: readonly Row[]): string {
  const model = cpus()[0]?.model ?? 'unknown';
  const module = readFileSync(path.join(root, 'e2e/tools/go.mod'), 'utf8');
  const version = /moby\/buildkit (v\S+)/.exec(module)?.[1] ?? 'of unknown version';
  return `# Benchmarks

The same work through Slipway and through \`buildkitd\`: one client (\`buildctl\`), one registry, both states on one journaled ext4, rounds interleaved, the minimum of
several, a pause before each build. Only the ratio means something, and differences under 15% mean nothing. Made by \`npm run bench\` on ${cpus().length} cores (${model}), Node ${process.version}, buildkitd ${version}.

| work | rounds | Slipway, s | buildkitd, s | ratio | ratio of medians |
| --- | --- | --- | --- | --- | --- |
${rows.map(line).join('\n')}
`;
}

const work = mkdtempSync(path.join(tmpdir(), 'slipway-bench-'));
if (!existsSync(buildctl)) throw new Error("buildctl is missing: run 'sh scripts/setup.sh tests' first");
const state = mountState(work);
const registry = await startRegistry(work);
const builders: Builder[] = [];
try {
  builders.push(await startBuilder('slipway', path.join(root, 'bin/buildkitd'), state, buildctl, registry.host));
  builders.push(await startBuilder('buildkitd', path.join(cache, 'tools/buildkitd'), state, buildctl, registry.host));
  const rows: Row[] = [];
  for (const workload of WORKLOADS.filter((each) => only === undefined || each.name.includes(only))) {
    rows.push(await measure(workload, builders, work, registry.host));
    process.stdout.write(
      `${rows.at(-1)?.name}: ${rows
        .at(-1)
        ?.minima.map((ms) => (ms / 1000).toFixed(2))
        .join(' / ')} s\n`,
    );
  }
  const text = report(rows);
  process.stdout.write(`\n${text}`);
  if (only === undefined) writeFileSync(path.join(root, 'docs/benchmarks.md'), text);
} catch (error) {
  for (const name of ['slipway', 'buildkitd']) {
    const log = path.join(state, `${name}.log`);
    if (existsSync(log)) process.stderr.write(`--- ${name}.log\n${readFileSync(log, 'utf8').slice(-3000)}\n`);
  }
  throw error;
} finally {
  for (const builder of builders) await builder[Symbol.asyncDispose]();
  registry.stop();
  await sleep(300);
  spawnSync('umount', ['-l', state]);
  rmSync(work, { recursive: true, force: true });
}
