import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Builder, type BuilderCommand, startBuilder } from './builders.ts';
import type { Client } from './client.ts';
import { largeGraph } from './large-graph.ts';
import type { Machine } from './machine.ts';
import { longBuild, ROWS, type Row } from './rows.ts';

/** What is measured of each builder for itself: a bound on Slipway, with what buildkitd needs beside it. */
export interface Fact {
  readonly name: string;
  readonly unit: string;
  readonly goal: number;
  /** In the order of the builders; nothing where it can be measured of Slipway alone. */
  readonly values: readonly (number | undefined)[];
}

export interface Bench {
  readonly commands: readonly BuilderCommand[];
  readonly client: Client;
  readonly machine: Machine;
}

/** Facts that are measured together. */
export interface FactGroup {
  /** What `npm run bench -- ID` calls it. */
  readonly id: string;
  measure(bench: Bench): Promise<readonly Fact[]>;
}

const STARTS = 5;
const CACHED_BUILDS = 30;
const ROUNDS_OF_CLIENTS = 8;
const MANY_CLIENTS = 100;
const EXPORTED_STEPS = 40;
const EXPORT_ROUNDS = 5;
/** So long the large graph is worked on: it is decoded, entered, looked up and begun, and then left by its client. */
const LARGE_GRAPH_MS = 20_000;

const rowOf = (id: string) => ROWS.find((row) => row.id === id)!;

/** Each builder alone, freshly started. */
async function forEach<T>(
  commands: readonly BuilderCommand[],
  measure: (builder: Builder, command: BuilderCommand) => Promise<T>,
): Promise<readonly T[]> {
  const values: T[] = [];
  for (const command of commands) {
    await using builder = await startBuilder(command);
    values.push(await measure(builder, command));
  }
  return values;
}

const requests = (row: Row, context: string, clients: number, round: number) =>
  Array.from({ length: clients }, (_, client) => ({ context, args: { N: row.work(round, client) } }));

const START: FactGroup = {
  id: 'start',
  async measure({ commands }) {
    const values: number[] = [];
    for (const command of commands) {
      const seconds: number[] = [];
      for (let start = 0; start < STARTS; start++) {
        await using builder = await startBuilder(command);
        seconds.push(builder.readyMs / 1000);
      }
      values.push(Math.min(...seconds));
    }
    return [{ name: 'socket ready after the start', unit: 's', goal: 0.3, values }];
  },
};

const CPU: FactGroup = {
  id: 'cpu',
  async measure({ commands, client, machine }) {
    const row = rowOf('steps');
    const context = row.prepare(path.join(machine.state, 'context'), 0);
    const values = await forEach(commands, async (builder) => {
      const build = async (times: number) => {
        for (let at = 0; at < times; at++) await client.build(builder, requests(row, context, 1, 0));
      };
      // Code that runs for the first times is compiled.
      await build(CACHED_BUILDS);
      await sleep(1000);
      const before = builder.process.cpuSeconds();
      await build(CACHED_BUILDS);
      await sleep(1000);
      return ((builder.process.cpuSeconds() - before) * 1000) / CACHED_BUILDS;
    });
    return [{ name: 'CPU of a small cached build', unit: 'ms', goal: 50, values }];
  },
};

const EXPORT: FactGroup = {
  id: 'export',
  async measure({ commands, client, machine }) {
    const context = longBuild(path.join(machine.state, 'context'), EXPORTED_STEPS);
    const values = await forEach(commands, async (builder) => {
      const seconds: readonly [plain: number[], exporting: number[]] = [[], []];
      for (let round = 0; round < 2 * EXPORT_ROUNDS; round++) {
        await sleep(1000);
        const exports = round % 2 === 0 ? {} : { exportCache: `${builder.name}-export:1` };
        seconds[round % 2]!.push(await client.build(builder, [{ context, args: { N: `${round}` }, ...exports }]));
      }
      const [plain, exporting] = seconds.map((each) => each.sort((a, b) => a - b)[each.length >> 1]!);
      return exporting! / plain!;
    });
    const name = `a build of ${EXPORTED_STEPS} steps with its whole cache exported`;
    return [{ name, unit: 'times one without', goal: 1.1, values }];
  },
};

const MEMORY: FactGroup = {
  id: 'memory',
  async measure({ commands, client, machine }) {
    const row = rowOf('same');
    const context = row.prepare(path.join(machine.state, 'context'), 0);
    const values = await forEach(commands, async (builder) => {
      for (let round = 0; round < ROUNDS_OF_CLIENTS; round++)
        await client.build(builder, requests(row, context, 30, round));
      const after = builder.process.residentMib();
      await sleep(60_000);
      const later = builder.process.residentMib();
      builder.process.resetPeak();
      await client.build(builder, requests(row, context, MANY_CLIENTS, ROUNDS_OF_CLIENTS));
      return [after, later, builder.process.peakMib()];
    });
    const names = [
      `resident after ${ROUNDS_OF_CLIENTS} rounds of 30 clients`,
      'resident a minute later',
      `resident at the height of ${MANY_CLIENTS} clients`,
    ];
    const goals = [400, 250, 700];
    return names.map((name, at) => ({ name, unit: 'MiB', goal: goals[at]!, values: values.map((each) => each[at]) }));
  },
};

const TURNS: FactGroup = {
  id: 'turns',
  async measure({ commands: [slipway], client, machine }) {
    const file = path.join(machine.state, 'turns');
    const meter = path.join(import.meta.dirname, 'turns/longest.ts');
    const env = { NODE_OPTIONS: `--import=${meter}`, BENCH_TURNS: file };
    await using builder = await startBuilder({ ...slipway!, env });
    const longest = async () => {
      rmSync(file, { force: true });
      process.kill(builder.process.pid, 'SIGUSR2');
      while (!existsSync(file)) await sleep(50);
      return JSON.parse(readFileSync(file, 'utf8')) as { readonly longest: number; readonly own: number };
    };
    await sleep(2000);
    // Its start is not meant.
    await longest();
    await client.solveForAWhile(builder, largeGraph(), LARGE_GRAPH_MS);
    await sleep(2000);
    const name = 'longest turn of the serving thread with a graph of 100,000 vertices';
    const { longest: whole, own } = await longest();
    return [
      { name, unit: 'ms', goal: 20, values: [whole, undefined] },
      { name: 'the same without the pauses of the collector', unit: 'ms', goal: 20, values: [own, undefined] },
    ];
  },
};

export const FACTS: readonly FactGroup[] = [START, CPU, EXPORT, MEMORY, TURNS];
