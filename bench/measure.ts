import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Builder } from './builders.ts';
import { type BuildRequest, type Client, clientCpuSeconds } from './client.ts';
import type { Machine } from './machine.ts';
import type { Row } from './rows.ts';

/** Before each build, and counted to it after: what a build leaves to be done in the background is nobody else's cost. */
const SETTLE_MS = 400;

/** One builder's rounds of a row. */
export interface Rounds {
  readonly seconds: number[];
  readonly cpuSeconds: number[];
  readonly clientCpuSeconds: number[];
  readonly peakMib: number[];
}

export interface Measured {
  readonly row: Row;
  /** In the order of the builders. */
  readonly rounds: readonly Rounds[];
}

/** Rounds interleaved; who goes first alternates, so that neither always finds the page cache warm. */
export async function measureRow(
  row: Row,
  builders: readonly Builder[],
  client: Client,
  machine: Machine,
): Promise<Measured> {
  const folder = path.join(machine.state, 'context');
  const rounds = builders.map((): Rounds => ({ seconds: [], cpuSeconds: [], clientCpuSeconds: [], peakMib: [] }));
  for (let round = row.warm ? -1 : 0; round < row.rounds; round++) {
    const context = row.prepare(folder, round + (row.warm ? 1 : 0));
    machine.sync();
    const order = [...builders.keys()];
    if (round % 2 !== 0) order.reverse();
    for (const at of order) {
      const requests = requestsOf(row, builders[at]!, { context, round, registry: machine.registry });
      if (row.empty === true && round >= 0) await client.prune(builders[at]!);
      if (round < 0) await client.build(builders[at]!, requests);
      else await measureRound(builders[at]!, client, requests, rounds[at]!);
    }
  }
  rmSync(folder, { recursive: true, force: true });
  machine.emptyRegistry();
  for (const builder of builders) await client.prune(builder);
  return { row, rounds };
}

async function measureRound(
  builder: Builder,
  client: Client,
  requests: readonly BuildRequest[],
  rounds: Rounds,
): Promise<void> {
  await sleep(SETTLE_MS);
  builder.process.resetPeak();
  const before = builder.process.cpuSeconds();
  const clientsBefore = clientCpuSeconds();
  rounds.seconds.push((await client.build(builder, requests)) / 1000);
  rounds.clientCpuSeconds.push(clientCpuSeconds() - clientsBefore);
  await sleep(SETTLE_MS);
  rounds.cpuSeconds.push(builder.process.cpuSeconds() - before);
  rounds.peakMib.push(builder.process.peakMib());
}

function requestsOf(
  row: Row,
  { name: builder }: Builder,
  { context, round, registry }: { readonly context: string; readonly round: number; readonly registry: string },
): readonly BuildRequest[] {
  return Array.from({ length: row.clients }, (_, client) => ({
    context,
    args: { N: row.work(round, client) },
    ...(row.push ? { push: `${builder}-${row.id}:${round + 1}-${client}` } : {}),
    ...row.request?.({ round, builder, registry }),
  }));
}
