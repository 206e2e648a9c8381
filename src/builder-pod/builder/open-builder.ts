import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  type AbortOptions,
  Afterwork,
  DIRECT,
  type ImageReference,
  type Logger,
  type OutboundSettings,
  Places,
  type Platform,
  RecentMap,
} from '../../base/index.ts';
import type { SessionRegistry } from '../../builder-api/index.ts';
import { ContentHasher } from '../../cache/contenthash/index.ts';
import { SqliteKeyStore } from '../../cache/keys/index.ts';
import { localFetcher } from '../../cache/refs/index.ts';
import type { UnpackLimits } from '../../oci/layers/index.ts';
import {
  type CredentialProvider,
  RegistryClient,
  type RegistryHosts,
  type Repository,
} from '../../oci/registry-client/index.ts';
import { createPools, fileSystemUsage, ownPrivileges, sweep } from '../../sys/index.ts';
import { type CacheImporters, Engine } from '../engine/index.ts';
import { createExecutor, type NetworkMode, networksOf, type StepLimits } from '../executor/index.ts';
import { openExporter } from '../exporters/index.ts';
import { dockerfileFrontend, FrontendRegistry, gatewayFrontend } from '../frontends/index.ts';
import { DEFAULT_HISTORY, type HistoryLimits, Recorder } from '../history/index.ts';
import { contentSink, FileSender, SessionCredentials, SessionSecrets } from '../session/index.ts';
import {
  gitSource,
  httpSource,
  ImageResolver,
  imageSource,
  MirrorUpkeep,
  registryFetcher,
  SourceRegistry,
} from '../sources/index.ts';
import { DatabaseLocalStates, LocalReceiver, localSourceFactory } from '../sources/local/index.ts';
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
  readonly cgroupParent?: string;
  /** How long a client may take to give credentials; a minute when absent. */
  readonly sessionAuthMs?: number;
  /** Of each step; none when absent. */
  readonly stepLimits?: StepLimits;
  /** What one layer or archive may grow to when it is unpacked. */
  readonly unpackLimits?: UnpackLimits | undefined;
  /** Hits and misses of the cache go to the log (debug), misses with what differed. */
  readonly explainCache?: boolean;
  /** Types of remote caches that builds may read; none when absent. */
  readonly cacheImporters?: CacheImporters;
  /** Of the history of builds. */
  readonly history?: HistoryLimits | undefined;
  readonly log: Logger;
}

/** A builder on its state directory. Disposing closes it in order. */
export interface Builder extends AsyncDisposable {
  readonly state: State;
  readonly engine: Engine;
  readonly history: Recorder;
  /** A repository to write to, as outputs do; `insecure` for this host alone. */
  readonly openRepository: (
    reference: ImageReference,
    options: { readonly insecure: boolean; readonly sessions: () => readonly string[] },
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
  const { sessions, log, cgroupParent } = options;
  await using opened = new AsyncDisposableStack();
  const threads = availableParallelism();
  const pools = opened.use(createPools({ short: Math.max(2, threads), bulk: Math.max(2, threads) }));
  const { registries: hosts, outbound = { proxies: DIRECT } } = options;
  const { proxies } = outbound;
  const privileges = ownPrivileges();
  const client = opened.use(new RegistryClient({ hosts, proxies, logger: log, userAgent: 'slipway' }));
  const credentials = credentialsOf(sessions, options.sessionAuthMs);
  const images = new ImageResolver({ client, credentials });
  let keys: SqliteKeyStore | undefined;
  const state = opened.use(
    await openState({
      ...{ root: options.root, pools, log, privileges, unpackLimits: options.unpackLimits },
      fetchers: { registry: registryFetcher(images), local: localFetcher() },
      onResultDropped: (id) => keys?.dropResult(id),
    }),
  );
  const { layout, refs, content } = state;
  const afterwork = opened.use(new Afterwork(log));
  const swept = await sweep({ stateId: state.id, directory: layout.root }, cgroupParent);
  if (swept.processes + swept.mounts > 0) log.info('swept what an earlier life left', swept);
  keys = new SqliteKeyStore(state.db);

  const executor = opened.use(
    await createExecutor(
      {
        ...{ stateId: state.id, pools, log, privileges, networks: networksOf(options.network) },
        directory: join(layout.run, 'exec'),
        stateRoot: layout.root,
        ...(cgroupParent === undefined ? {} : { cgroupParent }),
        ...(options.stepLimits === undefined ? {} : { limits: options.stepLimits }),
      },
      { signal },
    ),
  );
  const hasher = new ContentHasher({ pool: pools.bulk });
  const secrets = new SessionSecrets(sessions, join(layout.run, 'agents'), pools.short);
  const receiver = new LocalReceiver(sessions, refs, new DatabaseLocalStates(state.db), afterwork, hasher);
  const sources = new SourceRegistry();
  sources.register('docker-image', imageSource({ resolver: images, refs, memo: (ids) => engine.resolutionsOf(ids) }));
  sources.register('local', localSourceFactory(receiver));
  const upkeep = opened.use(new MirrorUpkeep(refs, pools.short, log));
  sources.register('git', gitSource({ refs, secrets, upkeep, outbound, pool: pools.short }));
  const http = httpSource({ refs, secrets, proxies, pool: pools.streams });
  sources.register('http', http);
  sources.register('https', http);

  const openRepository: Builder['openRepository'] = (reference, { insecure, sessions: ids }) =>
    client.repository(reference, credentials(ids()), { insecure });
  const clientFrom = async (ids: readonly string[], { signal }: AbortOptions) =>
    ids.map((id) => sessions.peek(id)).find((session) => session !== undefined) ??
    (await sessions.anyLogical(
      ids.filter((id) => sessions.isLogical(id)),
      { signal },
    ));
  const dockerfile = opened.use(dockerfileFrontend({ log, threads: Math.ceil(threads / CORES_PER_FRONTEND) }));
  const history = opened.use(
    new Recorder({
      ...{ db: state.db, leases: state.leases, directory: layout.history, stateRoot: layout.root },
      ...{ pool: pools.short, bulk: pools.bulk, log },
      limits: options.history ?? DEFAULT_HISTORY,
      mostLogBytes: Math.min(MOST_LOG_BYTES, fileSystemUsage(layout.root).total / 50),
    }),
  );
  const steps = options.maxParallelism > 0 ? new Places(options.maxParallelism) : undefined;
  const engine: Engine = new Engine({
    ...{
      pools,
      afterwork,
      refs,
      images,
      sources,
      keys,
      results: state.results,
      log,
      cacheImporters: options.cacheImporters,
      allowedEntitlements: options.entitlements,
      observers: [cacheLog(log, { explain: options.explainCache === true })],
      buildObservers: [history.observe],
    },
    frontends: new FrontendRegistry([dockerfile, gatewayFrontend()]),
    containers: { executor, refs, secrets },
    worker: { id: state.id, labels: options.labels, platforms: options.platforms },
    resolver: opResolver({
      ...{ refs, hasher, executor, afterwork, sources, secrets, pools, steps, tempDirectory: layout.tmp },
      unpackLimits: options.unpackLimits,
      stateRoot: layout.root,
    }),
    openExporter: (type, attrs, exporterOptions) =>
      openExporter(
        type,
        attrs,
        {
          ...{ content, bulk: pools.bulk, streams: pools.streams, tempDirectory: layout.tmp },
          openRepository,
          fileSender: async (ids, options) => {
            const session = await clientFrom(ids, options);
            return session === undefined ? undefined : new FileSender(session);
          },
          contentSink: async (ids, options) => {
            const session = await clientFrom(ids, options);
            return session === undefined ? undefined : contentSink(session);
          },
        },
        exporterOptions,
      ),
  });
  const closing = opened.move();
  return {
    state,
    engine,
    history,
    openRepository,
    startAhead: () => dockerfile.startAhead(),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** One object for each list of sessions, so that tokens are reused; the ones longest unused are forgotten. */
function credentialsOf(
  registry: SessionRegistry,
  timeoutMs: number | undefined,
): (sessions: readonly string[]) => CredentialProvider {
  const known = new RecentMap<string, SessionCredentials>(MAX_CREDENTIALS);
  return (sessions) => {
    const ids = [...sessions];
    return known.getOrMake(ids.join(' '), () => new SessionCredentials(registry, () => ids, timeoutMs));
  };
}
