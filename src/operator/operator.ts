import type { KubeConfig } from '@kubernetes/client-node';
import { type AbortOptions, type Logger, type ProxySettings, toCodedError } from '../base/index.ts';
import { startProbeServer } from '../base/probe-server.ts';
import type { BuilderPool, KeptCertificate, PoolCache } from '../resources/index.ts';
import { Access } from './api/access.ts';
import { type ApiCertificate, serveApi } from './api/api.ts';
import { apiHandlers } from './api/routes.ts';
import { BY_OWNER, buildReconciler, ownerOf } from './build/reconcile.ts';
import { hasTriggers, triggerReconciler } from './build/triggers.ts';
import { keepCertificates } from './certificates/keep.ts';
import { conditionOf } from './conditions.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import { type KnownRun, knownBuildType, knownRunType } from './known.ts';
import { builderOrKept, KeptLogs } from './logs/kept-logs.ts';
import { RunBuilders } from './logs/run-builders.ts';
import { builderLog } from './logs/sources.ts';
import { operatorMetrics } from './metrics/metrics.ts';
import { Builders } from './pool/builders.ts';
import { keepPools } from './pool/keep-pools.ts';
import { ManagedPods } from './pool/managed-pods.ts';
import { POOL_LABEL, type PodSettings, podType } from './pool/pod.ts';
import { podGone } from './pool/pod-gone.ts';
import { poolReconciler } from './pool/reconcile.ts';
import { builderPoolType, FIELD_MANAGER } from './resource-types.ts';
import { Kueue } from './run/kueue.ts';
import { RunReconciler } from './run/reconcile.ts';
import {
  Controller,
  type ControllerOptions,
  type KubeObject,
  keyOf,
  leadWhileHolding,
  openKubeClient,
  type Reconcile,
  startEventRecorder,
  startInformer,
} from './runtime/index.ts';
import { keepCachesPruned } from './shared-cache/keep-pruned.ts';
import { Troubles } from './troubles.ts';

interface OperatorOptions extends AbortOptions {
  readonly config: KubeConfig;
  readonly log: Logger;
  /** The way to the API server, unless the kubeconfig names a proxy. */
  readonly proxies: ProxySettings;
  /** Where the Lease is that only one operator holds. */
  readonly leaseNamespace: string;
  readonly leaseDurationMs: number;
  /** `host:port` of probes and metrics. */
  readonly metricsAddress: string;
  /** Registry host for output names that have none. */
  readonly defaultRegistry: string | undefined;
  /** Of the runs of all pools that have no cache of their own. */
  readonly registryCache: PoolCache | undefined;
  /** Whether Kueue admits runs of Builds that name a queue of it. */
  readonly kueue: boolean;
  /** How long a builder may be silent before its runs go elsewhere. */
  readonly builderGraceMs: number;
  /** Made, and set back to this, when the operator begins to lead. */
  readonly keptPools: readonly BuilderPool[];
  /** Made and renewed while the operator leads. */
  readonly certificates: readonly KeptCertificate[];
  /** For pools whose builders the operator runs itself; undefined where it runs none. */
  readonly builderPods: PodSettings | undefined;
  /** Objects of each kind that are reconciled at once. */
  readonly workers: number;
  /** How long logs of runs that are over are kept in registries; they are not where undefined. */
  readonly logRetentionMs: number | undefined;
  /** Where the API of logs is served, and with what certificate; it is not where absent. */
  readonly api: { readonly address: string; readonly certificate: () => Promise<ApiCertificate> } | undefined;
}

const LEASE = 'slipway-operator';
/** Secret of the operator's own authority, beside the Lease. */
const AUTHORITY = 'slipway-ca';
/** After which a pool is looked at for runs that wait: many come at once. */
const DEMAND_MS = 100;

/** Runs until the signal: reconciles while it leads, and waits for its turn while another does. */
export async function runOperator(options: OperatorOptions): Promise<void> {
  const { log, signal, workers } = options;
  const metrics = operatorMetrics();
  using client = openKubeClient(options.config, metrics, options.proxies);
  let synced = false;
  let leading = false;
  await using _probes = await startProbeServer({
    address: options.metricsAddress,
    healthy: () => true,
    ready: () => synced,
    metrics: () => metrics.text(),
    signal,
  });

  const over = new AbortController();
  const life = AbortSignal.any([signal, over.signal]);
  const informed = {
    log,
    signal: life,
    // Its status is another version's to write: it is left alone, but not in silence.
    onMisfit: (object: KubeObject, error: Error) =>
      events.record(object, 'Warning', 'NotUnderstood', `this operator leaves it alone: ${error.message}`),
  };
  const builds = startInformer(client, knownBuildType, informed);
  const runs = startInformer(client, knownRunType, { ...informed, indexes: { [BY_OWNER]: ownerOf } });
  const pools = startInformer(client, builderPoolType, informed);
  // Events outlive the signal by a moment: the last ones tell of the end.
  const eventsOver = new AbortController();
  const events = startEventRecorder(client, { component: FIELD_MANAGER, log, signal: eventsOver.signal });
  const dispatcher: Dispatcher = new Dispatcher(
    {
      builders: (pool) => (pools.get(pool) === undefined ? undefined : builders.states(pool)),
      allows: (pool, namespace) => {
        const allowed = pools.get(pool)?.spec.allowedNamespaces;
        return allowed === undefined || allowed.includes(namespace);
      },
      weight: (pool, namespace) =>
        pools.get(pool)?.spec.namespaceWeights?.find((one) => one.namespace === namespace)?.weight ?? 1,
      most: (pool) => pools.get(pool)?.spec.runsPerNamespace ?? Number.POSITIVE_INFINITY,
      why: (name) => {
        const pool = pools.get(name);
        const ready = pool?.spec.managed === undefined ? undefined : conditionOf(pool.status?.conditions, 'Ready');
        return ready?.status === 'False' ? { reason: ready.reason, message: ready.message } : undefined;
      },
      revision: (pool) => {
        const { uid, generation } = pools.get(pool)?.metadata ?? {};
        return `${uid} ${generation}`;
      },
    },
    (key) => runController.add(key),
    (pool) => {
      if (pools.get(pool)?.spec.managed !== undefined) poolController.addAfter(pool, DEMAND_MS);
    },
  );
  await using builders = new Builders(
    client,
    () => runReconciler.addresses,
    (address, pod) => podGone(pods?.list(), pod, address),
  );

  const ownerKey = (run: KnownRun) => `${run.metadata.namespace}/${run.spec.buildRef.name}`;
  const troubles = new Troubles(events);

  const controller = (name: string, reconcile: Reconcile, onTrouble: ControllerOptions['onTrouble']) =>
    new Controller({
      name,
      onTrouble,
      reconcile,
      workers,
      log,
      onReconcile: (outcome, seconds) => metrics.reconciled(name, outcome, seconds),
    });
  const runReconciler = new RunReconciler({
    client,
    runs,
    builds,
    pools,
    dispatcher,
    builders,
    events,
    metrics,
    log,
    defaultRegistry: options.defaultRegistry,
    ownNamespace: options.leaseNamespace,
    clusterCache: options.registryCache,
    ...(options.kueue ? { kueue: new Kueue(client) } : {}),
    builderGraceMs: options.builderGraceMs,
    wake: (key) => runController.add(key),
    keepLog: (uid, attempt) => keptLogs?.keep(uid, attempt, { signal: life }) ?? Promise.resolve(),
  });
  const runController = controller(
    'buildrun',
    runReconciler.reconcile,
    troubles.listener('buildrun', runs, (run) => buildController.add(ownerKey(run))),
  );
  const buildController: Controller = controller(
    'build',
    buildReconciler({ client, builds, runs, log, troubleOf: (kind, key) => troubles.of(kind, key) }),
    troubles.listener('build', builds),
  );
  const triggerController = controller(
    'trigger',
    triggerReconciler({ client, builds }),
    troubles.listener('build', builds),
  );
  const { builderPods } = options;
  const pods =
    builderPods === undefined
      ? undefined
      : startInformer(client, podType, {
          ...informed,
          selection: { namespace: builderPods.namespace, labelSelector: POOL_LABEL },
        });
  const managed =
    builderPods === undefined || pods === undefined
      ? undefined
      : new ManagedPods({ client, pods, runs, settings: builderPods, builders, dispatcher, events, log });
  const poolController: Controller = controller(
    'builderpool',
    poolReconciler({ client, pools, builders, managed, onHeard: () => dispatcher.schedule() }),
    troubles.listener('builderpool', pools),
  );
  builds.onChange(({ kind, object }) => {
    if (kind === 'gone') troubles.forget('build', keyOf(object));
    buildController.add(keyOf(object));
    if (kind === 'gone' || hasTriggers(object)) triggerController.add(keyOf(object));
  });
  pools.onChange(({ object }) => poolController.add(keyOf(object)));
  pods?.onChange(({ object }) => {
    for (const { name } of object.metadata.ownerReferences ?? []) poolController.add(name);
  });
  runs.onChange((change) => {
    buildController.add(ownerKey(change.object));
    if (change.kind === 'gone') {
      troubles.forget('buildrun', keyOf(change.object));
      runReconciler.gone(change.object);
      if (leading) void keptLogs?.forget(change.object, { signal: life });
    } else runController.add(keyOf(change.object));
  });
  metrics.observe({
    phases: () => runs.list().map(({ status }) => status?.phase ?? 'Pending'),
    active: () => runReconciler.active,
    queues: () => dispatcher.lengths(),
    builders: () =>
      new Map(
        pools
          .list()
          .map(({ metadata }) => [metadata.name, builders.states(metadata.name).filter(({ ready }) => ready).length]),
      ),
    leading: () => leading,
  });

  await using served = new AsyncDisposableStack();
  // Calls of its own: whoever asks for logs keeps no reconcile waiting.
  const kube = served.use(openKubeClient(options.config, metrics, options.proxies));
  const runBuilders = served.use(new RunBuilders(kube, pools, options.builderPods));
  const ofBuilder = builderLog(runBuilders);
  const keptLogs =
    options.logRetentionMs === undefined
      ? undefined
      : served.use(
          new KeptLogs({
            ...{
              kube,
              runs,
              proxies: options.proxies,
              builderLog: ofBuilder,
              retentionMs: options.logRetentionMs,
              log,
            },
            prepare: (run, of) => runReconciler.prepare(run, of),
          }),
        );
  const attemptLog = keptLogs === undefined ? ofBuilder : builderOrKept(ofBuilder, keptLogs.read);
  try {
    await Promise.all([builds.synced, runs.synced, pools.synced, pods?.synced]);
    synced = true;
    if (options.api !== undefined) {
      const handlers = apiHandlers({
        ...{ kube, runs, builds, builders: runBuilders, attemptLog },
        ...{ access: new Access(kube), now: () => kube.now() },
      });
      const serving = serveApi({ ...options.api, kube, handlers, log: log.child({ part: 'api' }), signal: life });
      served.defer(() => serving);
    }
    log.info('the operator is ready', { builds: builds.list().length, runs: runs.list().length });
    const lease = { namespace: options.leaseNamespace, name: LEASE };
    const lead = { lease, durationMs: options.leaseDurationMs, fieldManager: FIELD_MANAGER, log, signal };
    while (!signal.aborted)
      try {
        await leadWhileHolding(client, lead, async (leadership) => {
          leading = true;
          runReconciler.takeUp();
          for (const object of builds.list()) {
            buildController.add(keyOf(object));
            if (hasTriggers(object)) triggerController.add(keyOf(object));
          }
          for (const object of runs.list()) runController.add(keyOf(object));
          for (const object of pools.list()) poolController.add(keyOf(object));
          try {
            await Promise.all([
              ...[buildController, runController, poolController, triggerController].map((one) => one.run(leadership)),
              keepPools(client, options.keptPools, { ...leadership, log }),
              ...(options.certificates.length === 0
                ? []
                : [
                    keepCertificates({
                      ...{ client, log, certificates: options.certificates, signal: leadership.signal },
                      authority: { namespace: options.leaseNamespace, name: AUTHORITY },
                    }),
                  ]),
              keptLogs?.sweep(leadership),
              keepCachesPruned(
                {
                  ...{ client, pools, runs, events, log, proxies: options.proxies },
                  clusterCache: options.registryCache,
                  ownNamespace: options.leaseNamespace,
                  defaultRegistry: options.defaultRegistry,
                },
                leadership,
              ),
            ]);
          } finally {
            leading = false;
            // Whoever leads next takes the solves up, and that may be this one.
            await runReconciler.detach();
          }
        });
      } catch (error) {
        if (toCodedError(error).reason !== 'LEASE_LOST') throw error;
        log.warn('the lease was lost: another operator may lead', { err: error });
      }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await Promise.race([events.drain(), new Promise((resolve) => setTimeout(resolve, 1000))]);
    eventsOver.abort();
    over.abort();
    await Promise.allSettled([builds.ended, runs.ended, pools.ended, pods?.ended]);
  }
}
