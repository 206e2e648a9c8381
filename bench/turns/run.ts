/**
 * The longest turns of a daemon's serving thread while it deals with graphs of many vertices (100,000 unless a number is given): failing, cancelled, made, found
 * again, watched by three clients, pruned, two at once beside a small build. `npm run bench:turns [VERTICES [CASE]]`; needs root.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Digest, digestOf } from '../../src/base/index.ts';
import { openBuilderClient } from '../../src/builder-api/client/index.ts';
import { BUILD_ID_METADATA, Metadata } from '../../src/builder-api/index.ts';
import { type Definition, encodeDefinition, encodeOp, type Op } from '../../src/llb/index.ts';
import type { TurnReport } from './probe.ts';

const root = path.resolve(import.meta.dirname, '../..');
const VERTICES = Number(process.argv[2] ?? 100_000);
const only = process.argv[3] ?? '';
const { signal } = new AbortController();

/** Ops in order, inputs first; the last is what is built. */
class Graph {
  readonly ops: Uint8Array[] = [];

  add(body: Op['body'], inputs: readonly number[] = []): number {
    const digests = inputs.map((n) => ({ digest: this.#digests[n]!, index: 0 }));
    const bytes = encodeOp({ inputs: digests, body });
    this.#digests.push(digestOf(bytes));
    return this.ops.push(bytes) - 1;
  }

  readonly #digests: Digest[] = [];

  /** Makes a file, after all its inputs. */
  file(name: string, inputs: readonly number[] = []): number {
    const mkfile = { path: `/${name}`, data: new Uint8Array(), mode: 0o644, timestamp: -1n };
    const actions = [{ input: -1, secondaryInput: -1, output: 0, body: { kind: 'mkfile' as const, mkfile } }];
    return this.add({ kind: 'file', file: { actions } } as never, inputs);
  }

  encode(): Uint8Array {
    const pointer = encodeOp({ inputs: [{ digest: this.#digests.at(-1)!, index: 0 }], body: { kind: 'pointer' } });
    const definition: Definition = { ops: [...this.ops, pointer], metadata: new Map() } as never;
    return encodeDefinition(definition);
  }
}

/** Each vertex stands on the one before, all of them on a source that cannot be had. */
function failingChain(vertices: number, port: number): Uint8Array {
  const graph = new Graph();
  let top = graph.add({ kind: 'source', source: { identifier: `http://127.0.0.1:${port}/chain`, attrs: {} } });
  for (let n = 1; n < vertices; n++) top = graph.file(`${n}`, [top]);
  return graph.encode();
}

/** One source that cannot be had, all others on it, and one that needs them all. */
function failingFan(vertices: number, port: number): Uint8Array {
  const graph = new Graph();
  const source = graph.add({ kind: 'source', source: { identifier: `http://127.0.0.1:${port}/fan`, attrs: {} } });
  const all = Array.from({ length: vertices - 2 }, (_, n) => graph.file(`${n}`, [source]));
  graph.file('all', all);
  return graph.encode();
}

/** What costs next to nothing to make: merges of pairs of few layers, which groups of them need, and one that needs these. */
function merges(vertices: number, mark: string): Uint8Array {
  const graph = new Graph();
  const sides = Math.ceil(Math.sqrt(vertices)) + 1;
  const files = Array.from({ length: sides }, (_, n) => graph.file(`${mark}-${n}`));
  const pairs: number[] = [];
  for (let a = 0; a < sides; a++)
    for (let b = 0; b < sides && pairs.length < vertices - 2 * sides; b++)
      if (a !== b) pairs.push(graph.add({ kind: 'merge', merge: { inputs: [0, 1] } }, [files[a]!, files[b]!]));
  const groups: number[] = [];
  for (let at = 0; at < pairs.length; at += sides) groups.push(graph.file(`group ${at}`, pairs.slice(at, at + sides)));
  graph.file(`all ${mark}`, groups);
  return graph.encode();
}

const work = mkdtempSync(path.join(tmpdir(), 'slipway-turns-'));
const turns = path.join(work, 'turns.sock');
const address = `unix://${work}/buildkitd.sock`;
const daemon = spawn(path.join(root, 'bin/buildkitd'), ['--root', `${work}/root`, '--addr', address], {
  stdio: ['ignore', 'pipe', 'pipe'],
  env: {
    ...process.env,
    SLIPWAY_TURNS: turns,
    NODE_OPTIONS: `--import=${path.join(root, 'bench/turns/probe.ts')}`,
  },
});
const log = createWriteStream(path.join(work, 'log'));
daemon.stdout.pipe(log);
daemon.stderr.pipe(log);
const client = openBuilderClient(address);

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function report(): Promise<TurnReport> {
  const socket = connect(turns);
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString());
}

let refs = 0;
async function solve(definition: Uint8Array, options: { ref?: string; signal?: AbortSignal } = {}): Promise<string> {
  const ref = options.ref ?? `build-${refs++}`;
  try {
    await client.control.solve(
      { ref, definition, exporters: [], cache: {}, frontendAttrs: {} },
      { signal: options.signal ?? signal },
    );
    return 'done';
  } catch (error) {
    return `failed: ${(error as Error).message.slice(0, 100)}`;
  }
}

/** A frontend in the client that has a graph loaded through LLBBridge; how long the graph that it is answered is. */
async function askBridge(definition: Uint8Array): Promise<number> {
  const ref = `build-${refs++}`;
  const solving = client.control
    .solve({ ref, exporters: [], cache: {}, frontendAttrs: {} }, { signal })
    .catch(() => {});
  const options = { signal, metadata: new Metadata().add(BUILD_ID_METADATA, ref) };
  const { result } = await client.gateway.solve({ definition, allowResultReturn: true }, options);
  await client.gateway.return({ error: { code: 2, message: 'enough' } }, options);
  await solving;
  return result?.ref?.def?.length ?? 0;
}

/** Reads all that is told of a build; how many events. */
async function watch(ref: string): Promise<number> {
  let told = 0;
  try {
    for await (const { vertexes = [] } of client.control.status({ ref }, { signal })) told += vertexes?.length ?? 0;
  } catch {}
  return told;
}

async function measured(name: string, work: () => Promise<unknown>): Promise<void> {
  if (!name.includes(only)) return;
  await report();
  const began = performance.now();
  const said = await work();
  const took = (performance.now() - began) / 1000;
  await sleep(1500); // what comes after the end
  const { turns: longest, above20, delayMaxMs, cpuS } = await report();
  say(`\n## ${name}: ${took.toFixed(1)} s, ${cpuS.toFixed(1)} s of CPU, ${JSON.stringify(said)}`);
  say(
    `longest turns (ms of CPU): ${longest.map(({ cpuMs }) => cpuMs.toFixed(0)).join(' ')}; above 20: ${above20}; delay at most ${delayMaxMs.toFixed(0)} ms`,
  );
  for (const { cpuMs, wallMs, stacks } of longest.slice(0, 4)) {
    if (cpuMs < 12) continue;
    say(`  ${cpuMs.toFixed(1)} ms (${wallMs.toFixed(1)} by the clock)`);
    for (const { ms, stack } of stacks) say(`    ${ms.toFixed(1).padStart(6)} ${stack}`);
  }
}

try {
  await client.ready({ signal, timeoutMs: 30_000 });
  while (!existsSync(turns)) await sleep(50);
  const closed = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as { port: number };
  const small = () => {
    const graph = new Graph();
    graph.file('top', [graph.file('below')]);
    return graph.encode();
  };
  const chain = failingChain(VERTICES - 1, port);
  const fan = failingFan(VERTICES / 2, port);
  const pairs = merges(VERTICES * 0.55, 'a');
  say(`messages of ${[chain, fan, pairs].map(({ length }) => (length / 1e6).toFixed(1)).join(', ')} MB`);
  await measured('a chain that fails at its root', () => solve(chain));
  await measured('a fan that fails at its root', () => solve(fan));
  await measured('asked of the bridge by a frontend in the client', () => askBridge(chain));
  await measured('cancelled while it is entered', async () => {
    const controller = new AbortController();
    const solving = solve(chain, { signal: controller.signal });
    await sleep(3000);
    controller.abort(new Error('left'));
    return await solving;
  });
  await measured('made, watched by three', async () => {
    const watching = [1, 2, 3].map(() => watch('made'));
    return [await solve(pairs, { ref: 'made' }), await Promise.all(watching)];
  });
  await measured('watched when it is over', () => watch('made'));
  await sleep(only === '' ? 10_000 : 0);
  await measured('its log', () => watch('made'));
  await measured('found again', () => solve(pairs));
  await measured('found again, watched late by three', async () => {
    const solving = solve(pairs, { ref: 'late' });
    await sleep(2500);
    return [await Promise.all([1, 2, 3].map(() => watch('late'))), await solving];
  });
  await measured('two at once beside small ones', async () => {
    let over = false;
    const large = Promise.all([solve(pairs), solve(chain)]).finally(() => {
      over = true;
    });
    const times: number[] = [];
    while (!over) {
      const began = performance.now();
      await solve(small());
      times.push(performance.now() - began);
      await sleep(200);
    }
    times.sort((a, b) => a - b);
    return {
      said: await large,
      small: { median: Math.round(times[times.length >> 1]!), most: Math.round(times.at(-1)!) },
    };
  });
  await measured('usage', async () => (await client.control.diskUsage({}, { signal })).record?.length);
  await measured('pruned while one runs', async () => {
    const solving = solve(merges(VERTICES * 0.1, 'b'));
    let gone = 0;
    for await (const _ of client.control.prune({ all: true }, { signal })) gone++;
    return [gone, await solving];
  });
  closed.close();
} finally {
  await client[Symbol.asyncDispose]();
  daemon.kill('SIGTERM');
  await new Promise((resolve) => (daemon.exitCode === null ? daemon.once('exit', resolve) : resolve(undefined)));
  log.end();
  if (process.env['KEEP'] === undefined) rmSync(work, { recursive: true, force: true });
}
