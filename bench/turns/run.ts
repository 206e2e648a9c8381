/**
 * The longest turns of a daemon's serving thread while it deals with graphs of many vertices (100,000 unless a number is given): failing, cancelled, made, found
 * again, watched by three clients, pruned, two at once beside a small build; and with single things that are large: an op of many inputs, a step of many arguments or
 * secrets, a file in the graph, caches to import, what comes compressed. `npm run bench:turns [VERTICES [CASE]]`; needs root.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { openBuilderClient } from '../../src/builder-api/client/index.ts';
import { BUILD_ID_METADATA, Metadata, wire } from '../../src/builder-api/index.ts';
import { failingChain, failingFan, Graph, largeFile, manyArguments, manySecrets, merges, wide } from './graphs.ts';
import type { TurnReport } from './probe.ts';
import { serveCaches } from './registry.ts';

const root = path.resolve(import.meta.dirname, '../..');
const VERTICES = Number(process.argv[2] ?? 100_000);
const only = process.argv[3] ?? '';
const { signal } = new AbortController();

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

/** The same, compressed. */
async function solveCompressed(definition: Uint8Array): Promise<string> {
  const message = wire.moby.buildkit.v1.SolveRequest.encode({ ref: `build-${refs++}`, definition }).finish();
  const body = gzipSync(message);
  const frame = Buffer.alloc(5 + body.length);
  frame[0] = 1;
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, 5);
  const session = http2.connect('http://localhost', { createConnection: () => connect(`${work}/buildkitd.sock`) });
  try {
    const stream = session.request({
      ...{ ':method': 'POST', ':path': '/moby.buildkit.v1.Control/Solve', 'content-type': 'application/grpc' },
      ...{ 'grpc-encoding': 'gzip', te: 'trailers' },
    });
    const status = Promise.withResolvers<string>();
    const take = (headers: http2.IncomingHttpHeaders) => {
      const { 'grpc-status': code, 'grpc-message': text } = headers;
      if (code !== undefined) status.resolve(`status ${String(code)}: ${String(text).slice(0, 80)}`);
    };
    stream.on('response', take).on('trailers', take).on('error', status.reject).resume();
    stream.end(frame);
    return await status.promise;
  } finally {
    session.destroy();
  }
}

/** A frontend in the client that asks for the graphs that it was given; how many bytes those are. */
async function askInputs(frontendInputs: Record<string, Uint8Array>): Promise<number> {
  const ref = `build-${refs++}`;
  const solving = client.control
    .solve({ ref, exporters: [], cache: {}, frontendAttrs: {}, frontendInputs }, { signal })
    .catch(() => {});
  const options = { signal, metadata: new Metadata().add(BUILD_ID_METADATA, ref) };
  const { definitions } = await client.gateway.inputs({}, options);
  await client.gateway.return({ error: { code: 2, message: 'enough' } }, options);
  await solving;
  return Object.values(definitions ?? {}).reduce((sum, { length }) => sum + length, 0);
}

/** A build that reads these caches. */
async function solveWithCaches(definition: Uint8Array, names: readonly string[]): Promise<string> {
  const imports = names.map((ref) => ({ type: 'registry', attrs: { ref, 'registry.insecure': 'true' } }));
  try {
    await client.control.solve(
      { ref: `build-${refs++}`, definition, exporters: [], cache: { imports }, frontendAttrs: {} },
      { signal },
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
  const { turns: longest, longestMs, above20, delayMaxMs, cpuS } = await report();
  const list = (all: readonly number[]) => all.map((ms) => ms.toFixed(0)).join(' ');
  say(`\n## ${name}: ${took.toFixed(1)} s, ${cpuS.toFixed(1)} s of CPU, ${JSON.stringify(said)}`);
  say(
    `longest turns (ms of CPU): ${list(longestMs)}; without the collector's pauses: ${list(longest.map(({ ownMs }) => ownMs))}, above 20: ${above20}; delay at most ${delayMaxMs.toFixed(0)} ms`,
  );
  for (const { ownMs, cpuMs, wallMs, stacks } of longest.slice(0, 4)) {
    if (ownMs < 10) continue;
    say(`  ${ownMs.toFixed(1)} of ${cpuMs.toFixed(1)} ms (${wallMs.toFixed(1)} by the clock)`);
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
  await measured('one op of many inputs, made', () => solve(wide(VERTICES / 2, 'wide')));
  await measured('one op of many inputs, found again', () => solve(wide(VERTICES / 2, 'wide')));
  await measured('a step of many arguments', () => solve(manyArguments(VERTICES * 10)));
  await measured('a step of some arguments', () => solve(manyArguments(9_000)));
  await measured('a step of many secrets', () => solve(manySecrets(9_000)));
  await measured('a file in the graph', () => solve(largeFile(15 << 20)));
  await measured('inputs of a frontend in the client', () => askInputs({ one: chain.subarray(0), two: small() }));
  await measured('compressed', () => solveCompressed(chain));
  await using caches = await serveCaches();
  await measured('a cache to import', () => solveWithCaches(small(), [caches.name(0)]));
  const names = Array.from({ length: 32 }, (_, n) => caches.name(n + 1));
  await measured('32 caches to import', () => solveWithCaches(wide(VERTICES / 50, 'caches'), names));
  closed.close();
} finally {
  await client[Symbol.asyncDispose]();
  daemon.kill('SIGTERM');
  await new Promise((resolve) => (daemon.exitCode === null ? daemon.once('exit', resolve) : resolve(undefined)));
  log.end();
  if (process.env['KEEP'] === undefined) rmSync(work, { recursive: true, force: true });
}
