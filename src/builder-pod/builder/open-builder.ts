import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  type AbortOptions,
  Afterwork,
  DIRECT,
  type ImageReference,
  type Limit,
  type Logger,
  type OutboundSettings,
  Places,
  type Platform,
  RecentMap,
  type SessionTrust,
} from '../../base/index.ts';
import type { SessionRegistry } from '../../builder-api/index.ts';
import { ContentHasher } from '../../cache/contenthash/index.ts';
import { HeldKeys } from '../../cache/keys/index.ts';
import { localFetcher } from '../../cache/refs/index.ts';
import type { UnpackLimits } from '../../oci/layers/index.ts';
import {
  type CredentialProvider,
  RegistryClient,
  type RegistryHosts,
  type Repository,
} from '../../oci/registry-client/index.ts';
import type { TrustedRepositories } from '../../oci/signature/index.ts';
import { createPools, fileSystemUsage, ownPrivileges } from '../../sys/index.ts';
import { CacheStores, cacheTypes, MountCaches } from '../caches/index.ts';
import { type BuildObserver, type CacheImporters, Engine, PulledTally } from '../engine/index.ts';
import {
  createExecutor,
  findRuntimes,
  type LogLimits,
  type NetworkMode,
  networksOf,
  type StepLimits,
  StepsUsed,
} from '../executor/index.ts';
import { type ExporterDeps, Outflow, type OutflowBounds, openExporter } from '../exporters/index.ts';
import { dockerfileFrontend, FrontendRegistry, gatewayFrontend, llbFrontend } from '../frontends/index.ts';
import { DEFAULT_HISTORY, Explainer, type HistoryLimits, Recorder } from '../history/index.ts';
import {
  clientContent,
  FileSender,
  heldCredentials,
  SessionCredentials,
  SessionExports,
  SessionSecrets,
  SessionTrusts,
} from '../session/index.ts';
import {
  ArtifactUnpacker,
  gitSource,
  httpSource,
  ImageResolver,
  imageSource,
  MirrorUpkeep,
  registryFetcher,
  SourceRegistry,
} from '../sources/index.ts';
import { LocalReceiver, LocalStates, localSourceFactory, TransferSpace } from '../sources/local/index.ts';
import { openState, type State } from '../state/index.ts';
import { cacheLog } from './cache-log.ts';
import { opResolver } from './op-resolver.ts';

interface BuilderOptions {
  readonly root: string;
  readonly sessions: SessionRegistry;
  readonly platforms: readonly Platform[];
  readonly labels: Readonly<Record<string, string>>;
  readonly entitlements: ReadonlySet<string>;
  readonly registries: RegistryHosts;
  /** The way to registries, git servers and URLs; direct when absent. */
  readonly outbound?: OutboundSettings;
  /** Processes of steps at once; 0 for no limit. */
  readonly maxParallelism: number;
  readonly network: NetworkMode;
  readonly cgroupParent?: string | undefined;
  /** How long a client may take to give credentials; a minute when absent. */
  readonly sessionAuthMs?: number;
  /** How long what a tag named is believed; it is asked for each time when absent. */
  readonly tagMaxAgeMs?: number;
  /** Of each step; none when absent. */
  readonly stepLimits?: StepLimits;
  /** What one layer or archive may grow to when it is unpacked. */
  readonly unpackLimits?: UnpackLimits | undefined;
  /** What the files of one directory that a client sends may come to. */
  readonly contextLimit?: Limit | undefined;
  /** Bytes of the disk that what clients send, and cache mounts that are restored, leave free. */
  readonly leastFree?: (disk: { readonly total: number }) => number;
  /** Told, perhaps often, when there is little more than that left. */
  readonly onDiskLow?: () => void;
  /** Of what a step prints, for those who watch; BuildKit's when absent. */
  readonly logLimits?: LogLimits;
  /** Hits and misses of the cache go to the log (debug), misses with what differed. */
  readonly explainCache?: boolean;
  /** Types of remote caches that builds may read beside the builder's own. */
  readonly cacheImporters?: CacheImporters;
  /** Caches that are read with a signature only; all are when absent. */
  readonly trustedCaches?: readonly TrustedRepositories[];
  /** Stores of caches that whoever names one reaches as the builder itself; see docs/buildkitd.md. */
  readonly ownIdentity?: ReadonlySet<string>;
  /** Of what is sent while builds go on, of all of them together; see docs/buildkitd.md. */
  readonly outflow?: OutflowBounds;
  /** Told of every build, and of what registries answer. */
  readonly metrics?: { readonly observe: BuildObserver; readonly answered: (status: number) => void } | undefined;
  /** Of the history of builds. */
  readonly history?: HistoryLimits | undefined;
  /** Where stores of caches have defaults from; none when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

/** A builder on its state directory. Disposing closes it in order. */
export interface Builder extends AsyncDisposable {
  readonly state: State;
  readonly engine: Engine;
  readonly history: Recorder;
  /** Of the type `mounts`: builds do not wait for what they save. */
  readonly mountCaches: MountCaches;
  /** What the steps of builds used. */
  readonly used: StepsUsed;
  /** Which keys have a result here. */
  readonly heldKeys: HeldKeys;
  /** Why steps of builds were run. */
  readonly explainer: Explainer;
  /** How connections of the builds of sessions leave the machine. */
  readonly trusts: SessionTrust;
  /** A repository to write to, as outputs do; `insecure` for this host alone. */
  readonly openRepository: (
    reference: ImageReference,
    options: Parameters<ExporterDeps['openRepository']>[1],
  ) => Repository;
  /** Starts what the first build would wait for. */
  startAhead(): void;
}

/** Threads that convert Dockerfiles, for so many cores each: a conversion takes milliseconds. */
const CORES_PER_FRONTEND = 4;
/** Of the logs in the history of builds; less on a small disk. */
const MOST_LOG_BYTES = 1 << 30;
/** Distinct session lists whose tokens are kept. */
const MAX_CREDENTIALS = 256;

/** Opens the state directory (alone), sweeps what an earlier life left, and puts the engine together. @throws CodedError */
export async function openBuilder(options: BuilderOptions, { signal }: AbortOptions): Promise<Builder> {
  const { sessions, log, outbound = { proxies: DIRECT }, unpackLimits } = options;
  const cgroup = options.cgroupParent === undefined ? {} : { cgroupParent: options.cgroupParent };
  const cores = availableParallelism();
  const privileges = ownPrivileges();
  // Programs of their own, which the opening of the state need not wait for.
  const runtimes = findRuntimes({ signal });
  runtimes.catch(() => {});
  // Closed from the last one up: whoever uses something is over before it.
  await using opened = new AsyncDisposableStack();
  const pools = opened.use(createPools({ short: Math.max(2, cores), bulk: Math.max(2, cores) }));

  // Registries, with the credentials of whoever builds
  const { registries: hosts } = options;
  const client = opened.use(
    new RegistryClient({
      hosts,
      proxies: outbound.proxies,
      logger: log,
      userAgent: 'slipway',
      answered: options.metrics?.answered,
      ...(options.tagMaxAgeMs === undefined ? {} : { tagMaxAgeMs: options.tagMaxAgeMs }),
    }),
  );
  const trusts = new SessionTrusts();
  const trustOf = trusts.of.bind(trusts);
  const credentials = credentialsOf(sessions, options.sessionAuthMs, trusts);
  const images = new ImageResolver({ client, credentials, pool: pools.short });
  const openRepository: Builder['openRepository'] = (reference, { insecure, sessions: ids, told }) =>
    client.repository(reference, credentials(ids()), { insecure, told });

  const stores = new CacheStores();
  const pulled = new PulledTally();

  // What is kept: database, blobs, snapshots, refs, cache keys
  const state = opened.use(
    await openState({
      ...{ root: options.root, pools, log, privileges, unpackLimits, ...cgroup },
      fetchers: { registry: registryFetcher(images), local: localFetcher(), store: stores.fetcher },
      onPulled: pulled.add,
    }),
  );
  const { layout, refs } = state;
  const heldKeys = new HeldKeys({ keys: state.keys, path: layout.database, pool: pools.bulk });
  const stateRoot = layout.root;

  // What ops are made of
  const afterwork = opened.use(new Afterwork(log));
  const used = new StepsUsed();
  const executor = opened.use(
    await createExecutor(
      {
        used: used.note,
        ...{ stateId: state.id, pools, log, privileges, networks: networksOf(options.network), runtimes, ...cgroup },
        ...{ directory: join(layout.run, 'exec'), stateRoot },
        ...(options.stepLimits === undefined ? {} : { limits: options.stepLimits }),
      },
      { signal },
    ),
  );
  const hasher = new ContentHasher({ pool: pools.bulk });
  const secrets = new SessionSecrets(sessions, join(layout.run, 'agents'), pools.short);
  const states = new LocalStates(state.db);
  const keepFree = options.leastFree?.(fileSystemUsage(stateRoot)) ?? 0;
  const space = new TransferSpace({
    keepFree,
    ...(options.onDiskLow === undefined ? {} : { onLow: options.onDiskLow }),
  });
  const receiver = new LocalReceiver({ registry: sessions, refs, states, afterwork, trees: hasher, space });
  const upkeep = opened.use(new MirrorUpkeep(refs, pools.short, log));
  const http = httpSource({ refs, secrets, trustOf, proxies: outbound.proxies, pool: pools.streams });
  const sources = new SourceRegistry();
  const artifacts = new ArtifactUnpacker({
    ...{ refs, content: state.content, pool: pools.bulk, tempDirectory: layout.tmp, unpackLimits },
  });
  const memo = (ids: readonly string[]) => engine.resolutionsOf(ids);
  sources.register('docker-image', imageSource({ resolver: images, refs, artifacts, memo }));
  sources.register('local', localSourceFactory(receiver, options.contextLimit));
  sources.register('git', gitSource({ refs, secrets, upkeep, outbound, trustOf, pool: pools.short }));
  sources.register('http', http);
  sources.register('https', http);
  const trusted = options.trustedCaches ?? [];
  const trust = {
    ...{ trusted, secret: secrets.any.bind(secrets) },
    ...{ documents: pools.short, streams: pools.streams },
  };
  const mounts = opened.use(
    new MountCaches({
      ...trust,
      ...{
        refs,
        pools,
        privileges,
        hasher,
        log,
        unpackLimits,
        keepFree,
        content: state.content,
        tempDirectory: layout.tmp,
      },
      openRepository: (reference, { insecure, sessions: ids, held }) => {
        const given = credentials(ids());
        return client.repository(reference, held ? heldCredentials(given) : given, { insecure });
      },
    }),
  );
  const steps = options.maxParallelism > 0 ? new Places(options.maxParallelism) : undefined;
  const resolver = opResolver({
    ...{ refs, hasher, executor, afterwork, sources, secrets, pools, steps },
    ...{ tempDirectory: layout.tmp, unpackLimits, stateRoot, logLimits: options.logLimits },
    exchange: mounts,
  });

  // Where graphs come from, where results go to, who watches
  const clientIn = clientsOf(sessions);
  const contentOf = async (ids: readonly string[], store: string, wait: AbortOptions) => {
    const session = await clientIn(ids, wait);
    return session === undefined ? undefined : clientContent(session, store);
  };
  const dockerfile = opened.use(dockerfileFrontend({ log, threads: Math.ceil(cores / CORES_PER_FRONTEND) }));
  const outflow = new Outflow(options.outflow);
  const exporters: ExporterDeps = {
    outflow,
    ...{ content: state.content, bulk: pools.bulk, streams: pools.streams, tempDirectory: layout.tmp },
    openRepository,
    secret: (id, ids, wait) => secrets.any(id, ids, wait),
    fileSender: async (ids, options) => {
      const session = await clientIn(ids, options);
      return session === undefined ? undefined : new FileSender(session);
    },
    contentSink: (ids, options) => contentOf(ids, 'export', options),
  };
  const caches = cacheTypes({
    ...{ openRepository, refs, keys: state.keys, results: state.results, stores, pool: pools.short, outflow },
    ...{
      streams: pools.streams,
      proxies: outbound.proxies,
      env: options.env ?? {},
      ownIdentity: options.ownIdentity ?? new Set(),
    },
    ...trust,
    clientContent: async (ids, store, wait) => {
      const there = await contentOf(ids, store, wait);
      if (there !== undefined || ids[0] === undefined) return there;
      // A build may begin before its client has connected.
      await sessions.get(ids[0], wait);
      return await contentOf(ids, store, wait);
    },
  });
  const history = opened.use(
    new Recorder({
      ...{ db: state.db, leases: state.leases, directory: layout.history, stateRoot },
      ...{ pool: pools.short, bulk: pools.bulk, stores: state, log },
      limits: options.history ?? DEFAULT_HISTORY,
      mostLogBytes: Math.min(MOST_LOG_BYTES, fileSystemUsage(stateRoot).total / 50),
    }),
  );

  const explainer = new Explainer({ history, refs, hasher });

  const engine: Engine = new Engine({
    ...{ pools, afterwork, refs, images, sources, resolver, pulled, log, trusts },
    ...{ keys: state.keys, results: state.results },
    cacheImporters: new Map([...caches.importers, ['mounts', mounts.importer], ...(options.cacheImporters ?? [])]),
    cacheExports: {
      ...caches.exports,
      exporters: new Map([...caches.exports.exporters, ['mounts', (attrs) => mounts.exporter(attrs)]]),
    },
    worker: { id: state.id, labels: options.labels, platforms: options.platforms },
    allowedEntitlements: options.entitlements,
    frontends: new FrontendRegistry([dockerfile, gatewayFrontend(), llbFrontend()]),
    containers: { executor, refs, secrets, pools },
    openExporter: (type, attrs, exporterOptions) => openExporter(type, attrs, exporters, exporterOptions),
    sessionExports: new SessionExports(sessions),
    observers: [cacheLog(log, { explain: options.explainCache === true }), explainer.observer],
    buildObservers: [history.observe, explainer.observe, ...(options.metrics ? [options.metrics.observe] : [])],
  });
  const closing = opened.move();
  return {
    ...{ state, engine, history, explainer, used, heldKeys, openRepository, trusts, mountCaches: mounts },
    startAhead: () => dockerfile.startAhead(),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** The client of a build, over the first of its sessions that is there. */
function clientsOf(sessions: SessionRegistry) {
  return async (ids: readonly string[], { signal }: AbortOptions) =>
    ids.map((id) => sessions.peek(id)).find((session) => session !== undefined) ??
    (await sessions.anyLogical(
      ids.filter((id) => sessions.isLogical(id)),
      { signal },
    ));
}

/** One object for each list of sessions, so that tokens are reused; the ones longest unused are forgotten. */
function credentialsOf(
  registry: SessionRegistry,
  timeoutMs: number | undefined,
  trusts: SessionTrusts,
): (sessions: readonly string[]) => CredentialProvider {
  const known = new RecentMap<string, SessionCredentials>(MAX_CREDENTIALS);
  return (sessions) => {
    const ids = [...sessions];
    return known.getOrMake(ids.join(' '), () => new SessionCredentials(registry, () => ids, timeoutMs, trusts));
  };
}
