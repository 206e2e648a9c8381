/**
 * Builds on a real cluster of one node: Slipway's Builds beside Jobs that start `buildkitd` for each build, and beside `buildctl` on the same builder. Prints tables and puts
 * them into docs/benchmarks.md. Run by `npm run bench:cluster`; needs root.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../e2e/support/paths.ts';
import { tempFolder } from '../../e2e/support/temp-folder.ts';
import { number, tableOf, writeBetweenMarks } from '../table.ts';
import { type BenchCluster, openBenchCluster } from './cluster.ts';
import { byBuild, byBuildctl, byJob, type Way, type Work } from './ways.ts';

const ROUNDS = 12;
const MIXED = 50;

const say = (text: string) => void process.stdout.write(`${text}\n`);

using work = tempFolder('bench-cluster');
await using cluster = await openBenchCluster(work.path);
const tables = [await oneCached(cluster), await coldPods(cluster), await mixed(cluster)];
writeBetweenMarks(path.join(root, 'docs/benchmarks.md'), tables.join('\n\n'), 'bench:cluster');

/** Steps that take half a second together, where they run. */
function workOf(name: string, { registry }: BenchCluster, more: readonly string[] = []): Work {
  const steps = Array.from({ length: 5 }, (_, at) => `RUN sleep 0.1; echo ${at} >> /steps`);
  return {
    name,
    word: name,
    dockerfile: [`FROM ${registry}/base:1`, ...steps, ...more, 'COPY word /word', `RUN cat /word >> /steps`, ''].join(
      '\n',
    ),
  };
}

async function seconds(action: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await action();
  return (performance.now() - before) / 1000;
}

/** A build of which all is cached, each way in turn. */
async function oneCached(on: BenchCluster): Promise<string> {
  const folder = path.join(work.path, 'context');
  mkdirSync(folder);
  const ours = byBuild(on);
  const ways: readonly Way[] = [ours, byJob(on), byBuildctl(on, await on.builderFlags(), folder)];
  const it = workOf('cached', on);
  const times = new Map(ways.map((way) => [way, [] as number[]]));
  for (const way of ways) await way.run(it);
  for (let round = 0; round < ROUNDS; round++)
    for (const way of ways) times.get(way)?.push(await seconds(() => way.run(it)));
  const medianOf = (way: Way) => median(times.get(way) ?? []);
  const table = tableOf(
    ['a fully cached build, from apply to its end', 'median, s', 'least, s', 'of a Build, times', 'goal'],
    ways.map((way, at) => {
      const ratio = medianOf(ours) / medianOf(way);
      const goal = [undefined, 0.12, 2][at];
      return [
        way.name,
        number(medianOf(way)),
        number(Math.min(...(times.get(way) ?? []))),
        goal === undefined ? '' : `**${number(ratio)}**${ratio > goal ? ' missed' : ''}`,
        goal === undefined ? '' : String(goal),
      ];
    }),
  );
  say(table);
  return table;
}

/** A builder that has nothing, with the cache that another one wrote and without. */
async function coldPods(on: BenchCluster): Promise<string> {
  const it = workOf('cold', on, ['RUN sleep 3']);
  await byBuild(on, 'shared').run(it);
  const rows: string[][] = [];
  for (const [name, cache] of [
    ['with the cache of another builder', 'shared'],
    ['without', 'none'],
  ] as const) {
    await on.freshBuilders(1);
    const before = on.pulledBytes();
    const took = await seconds(() => byBuild(on, cache).run(it));
    rows.push([name, number(took), number((on.pulledBytes() - before) / 1e6)]);
  }
  const table = tableOf(['a build of 3.5 s on a pod that has nothing', 's', 'MB pulled'], rows);
  say(table);
  return table;
}

/** Many builds at once, half of which others have asked for before. */
async function mixed(on: BenchCluster): Promise<string> {
  await on.freshBuilders(2);
  const works = Array.from({ length: MIXED }, (_, at) =>
    workOf(`mixed-${at % (MIXED / 2)}`, on, [`RUN echo ${at % (MIXED / 2)}`]),
  );
  const rows: string[][] = [];
  for (const way of [byBuild(on), byJob(on)]) {
    const before = { cpu: on.podCpu(), bytes: on.pulledBytes() };
    const took = await seconds(() => Promise.all(works.map((one) => way.run(one))));
    rows.push([
      way.name,
      number(took),
      number(on.podCpu() - before.cpu),
      number((on.pulledBytes() - before.bytes) / 1e6),
    ]);
  }
  const table = tableOf([`${MIXED} builds at once, two of each kind`, 's', 'CPU of all pods, s', 'MB pulled'], rows);
  say(table);
  return table;
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
}
