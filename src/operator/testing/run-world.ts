import { expect } from 'vitest';
import { CodedError, silentLogger } from '../../base/index.ts';
import type { Build, BuilderPool, BuildRun } from '../../resources/index.ts';
import { newRun } from '../build/reconcile.ts';
import { Dispatcher } from '../dispatch/dispatcher.ts';
import { knownBuildType, knownRunType } from '../known.ts';
import { operatorMetrics } from '../metrics/metrics.ts';
import type { Builders } from '../pool/builders.ts';
import { builderPoolType } from '../resource-types.ts';
import { Kueue } from '../run/kueue.ts';
import { RunReconciler } from '../run/reconcile.ts';
import { Controller } from '../runtime/index.ts';
import { FakeBuilder } from './fake-builder.ts';
import { MemoryApi } from './memory-api.ts';

/** Wishes of a run that waits for nothing but news are no shorter. */
const PERIODIC_MS = 10_000;

/** One builder with one place, the run reconciler on it, and an API server that can refuse. */
export class RunWorld {
  readonly api = new MemoryApi();
  readonly builder = new FakeBuilder();
  readonly told: string[] = [];
  /** Why its builder will not answer again. */
  gone: string | undefined;
  readonly #over = new AbortController();
  readonly #builderGraceMs: number;
  readonly #periodicLooks: boolean;
  readonly #kueue: Kueue | undefined;
  #running: Promise<void> | undefined;
  reconciler!: RunReconciler;
  dispatcher!: Dispatcher;

  /** Without periodic looks, what nothing wakes is never looked at again. */
  constructor({ builderGraceMs = 60_000, periodicLooks = true, kueue = false } = {}) {
    if (kueue) this.#kueue = new Kueue(this.api.client);
    this.#builderGraceMs = builderGraceMs;
    this.#periodicLooks = periodicLooks;
  }

  pool(name: string, address: string, spec: object = {}): void {
    const endpoints = [{ address }];
    const pool = { apiVersion: 'slipway.build/v1alpha1', kind: 'BuilderPool', metadata: { name } };
    this.api.put('builderpools', { ...pool, spec: { endpoints, ...spec } } as BuilderPool);
  }

  async start(): Promise<void> {
    const { api } = this;
    const builds = await api.informer(knownBuildType);
    const runs = await api.informer(knownRunType);
    const pools = await api.informer(builderPoolType);
    this.dispatcher = new Dispatcher(
      {
        builders: (pool) =>
          pools.get(pool)?.spec.endpoints?.map(({ address }) => ({ address, ready: true, capacity: 1 })),
        allows: (pool, namespace) => pools.get(pool)?.spec.allowedNamespaces?.includes(namespace) ?? true,
        weight: () => 1,
        most: () => Number.POSITIVE_INFINITY,
      },
      (key) => controller.add(key),
    );
    this.reconciler = new RunReconciler({
      client: api.client,
      runs,
      builds,
      pools,
      dispatcher: this.dispatcher,
      builders: {
        client: () => this.builder.client,
        gone: () => this.gone,
        has: () => false,
        learn: () => {},
        states: () => [],
      } as unknown as Builders,
      events: { record: (about, _, reason, message) => this.told.push(`${about.kind} ${reason}: ${message}`) },
      metrics: operatorMetrics(),
      log: silentLogger,
      defaultRegistry: undefined,
      ownNamespace: 'slipway-system',
      clusterCache: undefined,
      kueue: this.#kueue,
      builderGraceMs: this.#builderGraceMs,
      wake: (key) => controller.add(key),
    });
    const controller = new Controller({
      name: 'runs',
      reconcile: async (key, options) => {
        const wish = await this.reconciler.reconcile(key, options);
        return this.#periodicLooks || (wish?.requeueAfterMs ?? 0) < PERIODIC_MS ? wish : undefined;
      },
      workers: 4,
      log: silentLogger,
    });
    this.reconciler.takeUp();
    for (const run of runs.list()) controller.add(`${run.metadata.namespace}/${run.metadata.name}`);
    runs.onChange(({ object, kind }) => {
      if (kind === 'gone') this.reconciler.gone(object);
      else controller.add(`${object.metadata.namespace}/${object.metadata.name}`);
    });
    this.#running = controller.run({ signal: this.#over.signal });
  }

  run(
    name: string,
    {
      namespace = 'a',
      spec = {},
      status,
      labels = {},
    }: { namespace?: string; spec?: object; status?: object; labels?: Readonly<Record<string, string>> } = {},
  ) {
    const build: Build = {
      apiVersion: 'slipway.build/v1alpha1',
      kind: 'Build',
      metadata: { name, namespace, uid: `build-${name}`, labels },
      spec: { dockerfile: { inline: 'FROM scratch' }, ...spec },
    };
    const run = newRun(build, 1, 'h');
    return this.api.put('buildruns', {
      ...run,
      metadata: { ...run.metadata, name, uid: name },
      ...(status === undefined ? {} : { status }),
    } as BuildRun);
  }

  get(name: string, namespace = 'a'): BuildRun['status'] {
    return this.api.get<BuildRun>('buildruns', { namespace, name })?.status;
  }

  until = (name: string, phase: string, namespace = 'a') =>
    eventually(() => this.get(name, namespace)?.phase).toBe(phase);

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new CodedError('cancelled', 'over'));
    await this.#running;
    await this.reconciler?.detach();
    this.api[Symbol.dispose]();
  }
}

export const eventually = <T>(read: () => T) => expect.poll(read, { interval: 10 });
