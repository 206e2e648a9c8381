import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { type AbortOptions, cancelledError, type Logger, type OutboundSettings } from '../../base/index.ts';
import { GrpcServer, SessionRegistry } from '../../builder-api/index.ts';
import { GarbageCollector, leastFree } from '../../cache/gc/index.ts';
import { VisibleBlobs } from '../../cache/refs/index.ts';
import { type RegistryThread, startRegistryThread } from '../../oci/registry-server/index.ts';
import { fileSystemUsage, IdleMemory } from '../../sys/index.ts';
import { type Builder, openBuilder } from '../builder/index.ts';
import type { LogLimits } from '../executor/index.ts';
import { RunStore, Runs, type RunsOptions, registerBuilder, registerExplainer, tagWriter } from '../runs/index.ts';
import { receiveModule } from '../sources/local/index.ts';
import { withoutOwnPaths } from '../state/index.ts';
import type { DaemonConfig, ListenAddress } from './config.ts';
import { registerContent } from './content-service.ts';
import { DIRECT, registerControl, registerHealth } from './control.ts';
import { Drain } from './drain.ts';
import { registerLlbBridge } from './llb-bridge.ts';
import { followTlsFiles } from './tls-files.ts';
import { UsageReader } from './usage.ts';
import { BUILDKIT_VERSION, workerRecord } from './worker.ts';

/** How long running calls may wind up when the daemon ends. */
const CLOSE_GRACE_MS = 1000;
const IDLE_CHECK_MS = 5000;
/** Threads that sessions share at most, and at least two: they receive files. */
const MAX_SESSION_THREADS = 4;
/** Host that names the embedded registry in manifests and image references. */
const EMBEDDED_REGISTRY = 'slipway.localhost';

/** A daemon that listens. Disposing ends it within seconds, with nothing left mounted or running. */
export interface Daemon extends AsyncDisposable {
  /** As it listens: ports that were 0 are filled in. */
  readonly addresses: readonly string[];
  /** `host:port` of the embedded registry. */
  readonly registry: string | undefined;
  /** Settles when nobody used the daemon for its idle timeout. */
  readonly idle: Promise<void>;
  /** For a graceful end, before it is disposed. */
  readonly drain: Drain;
}

/** What the environment says beside the configuration. */
interface DaemonEnvironment {
  readonly outbound: OutboundSettings;
  readonly logLimits: LogLimits;
  /** Where stores of caches have defaults from. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Starts the builder and listens. @throws CodedError, e.g. failed_precondition when another daemon has the state directory */
export async function startDaemon(
  config: DaemonConfig,
  environment: DaemonEnvironment,
  log: Logger,
  { signal }: AbortOptions,
): Promise<Daemon> {
  await using opened = new AsyncDisposableStack();
  const server = new GrpcServer({ logger: log });
  const sessions = opened.use(
    new SessionRegistry({
      logger: log,
      threads: Math.max(2, Math.min(availableParallelism(), MAX_SESSION_THREADS)),
      preload: [receiveModule],
      logicalGraceMs: config.sessionGraceMs,
    }),
  );
  // What few need is not loaded for all.
  const measuring = config.metrics === undefined ? undefined : await import('./metrics.ts');
  const metrics = measuring && new measuring.BuilderMetrics();
  const registry = await startRegistry(config, log, opened);
  const registries = {
    ...config.registries,
    ...(registry === undefined ? {} : { [EMBEDDED_REGISTRY]: { address: registry.host, plainHttp: true } }),
  };
  const explainCache = config.logLevel === 'debug' || config.logLevel === 'trace';
  let collector: GarbageCollector | undefined;
  const builder = opened.use(
    await openBuilder(
      {
        ...{ ...config, ...environment, registries, sessions, explainCache, log, metrics },
        leastFree: (disk) => leastFree(config.gcPolicy(disk.total), disk),
        onDiskLow: () => collector?.trigger(),
      },
      { signal },
    ),
  );
  const { engine, state, history, explainer } = builder;
  const stateRoot = state.layout.root;
  const pidFile = join(stateRoot, 'builderd.pid');
  writeFileSync(pidFile, `${process.pid}\n`);
  opened.defer(() => rmSync(pidFile, { force: true }));

  const gcPolicy = config.gcPolicy(fileSystemUsage(stateRoot).total);
  const gc = opened.use(
    new GarbageCollector({ refs: state.refs, policy: gcPolicy, busySince: () => engine.busySince, log }),
  );
  collector = gc;
  gc.trigger();

  // What clients call
  const { labels, platforms, network } = config;
  const worker = workerRecord({ id: state.id, platforms, labels, gcPolicy, network });
  sessions.register(server);
  registerControl(server, { engine, worker, stateRoot, refs: state.refs, gc, history, explainer, log });
  registerLlbBridge(server, engine, worker, { stateRoot, scope: DIRECT });
  const { content, db } = state;
  const { short: pool } = state.pools;
  registerContent(server, { content, history, pool, visible: new VisibleBlobs(db, DIRECT), scope: DIRECT });

  if (registry !== undefined) {
    const file = join(config.root, 'registry-address');
    writeFileSync(file, `${registry.host}\n`);
    opened.defer(() => rmSync(file, { force: true }));
  }
  opened.defer(() => server.close({ graceMs: CLOSE_GRACE_MS }));
  // Builds end while their clients can still be told.
  opened.use(engine);
  const over = new AbortController();
  opened.defer(() => over.abort(cancelledError('the daemon ends')));
  const reader = new UsageReader(state, log, over.signal);
  const usage = () => reader.read();
  const { runs, drain } = serveRuns(server, builder, config, opened, {
    sessions,
    log,
    usage,
    onOver: () => gc.trigger(),
  });
  registerHealth(server, () => !drain.isOn);
  if (config.metrics !== undefined && metrics !== undefined) {
    metrics.measure(async () => ({
      ...{ builds: engine.activeBuilds, runs: runs.running, capacity: runs.capacity, busyMs: engine.busyMs },
      ...{ draining: drain.isOn, usage: await usage() },
    }));
    const ready = () => !drain.isOn;
    const served = await measuring?.serveMetrics(metrics, { ...config.metrics, ready, signal });
    if (served !== undefined) log.info('running metrics', { address: opened.use(served).address });
  }
  if (config.tls !== undefined)
    void followTlsFiles(server, config.tls, { pool: state.pools.short, log, signal: over.signal });
  const addresses: string[] = [];
  // The reserve that this start took is there again before any build can take it: all but what sockets need, and then that.
  await state.reserve.fill({ but: config.addresses.length });
  for (const address of config.addresses) addresses.push(await listen(server, address, config, opened));
  await state.reserve.fill();
  sessions.startAhead();
  builder.startAhead();
  const busy = () => engine.activeBuilds + server.activeCalls;
  giveBackMemory(busy, opened);
  const idle = watchIdle(config.idleTimeoutMs, busy, opened);
  const closing = opened.move();
  return { addresses, registry: registry?.host, idle, drain, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** Solves for an operator. They end before the server does, so that whoever is attached is told. */
function serveRuns(
  server: GrpcServer,
  { engine, history, explainer, used, heldKeys, state, openRepository, trusts }: Builder,
  { maxRuns, unattachedMs, platforms }: DaemonConfig,
  opened: AsyncDisposableStack,
  { usage, ...others }: Pick<RunsOptions, 'sessions' | 'log' | 'onOver'> & { readonly usage: UsageReader['read'] },
): { readonly runs: Runs; readonly drain: Drain } {
  const runs = new Runs({
    ...others,
    solve: (request, options) =>
      engine.solve(request, options).catch((error: unknown) => {
        throw withoutOwnPaths(error, state.layout.root);
      }),
    store: new RunStore({ db: state.db, leases: state.leases }),
    writeTags: tagWriter(state.content, openRepository),
    witnesses: { used: (owner) => used.take(owner), scopesOf: (key, most) => state.keys.scopesOf(key, most) },
    trusts,
    capacity: maxRuns ?? Math.ceil(availableParallelism() * 1.5),
    unattachedMs,
  });
  opened.use(runs);
  const drain = new Drain({ engine, runs, log: others.log });
  const { package: name, version } = BUILDKIT_VERSION;
  const identity = {
    ...{ id: state.id, platforms, version: `${name} ${version}`, usage, startedMs: Date.now() },
    busyMs: () => engine.busyMs,
    drain: (reason: string) => drain.begin({ reason }),
  };
  registerBuilder(server, runs, identity, history, heldKeys);
  registerExplainer(server, DIRECT, { explainer, history });
  return { runs, drain };
}

async function listen(
  server: GrpcServer,
  address: ListenAddress,
  { gid, tls }: DaemonConfig,
  opened: AsyncDisposableStack,
): Promise<string> {
  if (address.kind === 'tcp') {
    const port = await server.listenTcp(address.host, address.port, tls);
    return `tcp://${address.host}:${port}`;
  }
  mkdirSync(dirname(address.path), { recursive: true, mode: 0o755 });
  await server.listenUnix(address.path, { mode: 0o660, ...(gid === undefined ? {} : { gid }) });
  opened.defer(() => rmSync(address.path, { force: true }));
  return `unix://${address.path}`;
}

/** Before the engine, whose registry client needs its address. Its folder is its own, so the state directory's lock is not needed yet. */
async function startRegistry(
  { embeddedRegistry, root }: DaemonConfig,
  log: Logger,
  opened: AsyncDisposableStack,
): Promise<RegistryThread | undefined> {
  if (embeddedRegistry === undefined) return undefined;
  return opened.use(await startRegistryThread({ root: join(root, 'registry'), ...embeddedRegistry }, log));
}

/** Once builds that went on for a while are over. */
function giveBackMemory(busy: () => number, opened: AsyncDisposableStack): void {
  const memory = new IdleMemory({ serving: true });
  let worked = false;
  const timer = setInterval(() => {
    const works = busy() > 0;
    if (works) memory.busy();
    else if (worked) memory.idle();
    worked = works;
  }, IDLE_CHECK_MS);
  timer.unref();
  opened.defer(() => {
    clearInterval(timer);
    memory.busy();
  });
}

function watchIdle(timeoutMs: number | undefined, busy: () => number, opened: AsyncDisposableStack): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (timeoutMs === undefined) return promise;
  let lastUse = performance.now();
  const timer = setInterval(
    () => {
      if (busy() > 0) lastUse = performance.now();
      else if (performance.now() - lastUse >= timeoutMs) resolve();
    },
    Math.min(IDLE_CHECK_MS, Math.max(50, timeoutMs / 4)),
  );
  opened.defer(() => clearInterval(timer));
  return promise;
}
