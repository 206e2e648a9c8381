import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { neverAborted, silentLogger } from '../../base/index.ts';
import type { BuilderPool } from '../../resources/index.ts';
import { knownRunType } from '../known.ts';
import { builderPoolType } from '../resource-types.ts';
import { type Informer, KubeError, keyOf } from '../runtime/index.ts';
import { MemoryApi } from '../testing/memory-api.ts';
import type { Builders, Heard, Target } from './builders.ts';
import { ManagedPods } from './managed-pods.ts';
import { type Pod, podType } from './pod.ts';
import { poolReconciler } from './reconcile.ts';

const signal = neverAborted;
const NAMESPACE = 'builders';
const MINUTES = 60_000;

let clock = 0;
beforeEach(() => {
  clock = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
});
afterEach(() => void vi.restoreAllMocks());

/** Builders as the operator hears of them: those that run answer, but for those that are told not to. */
class FakeBuilders {
  targets: readonly Target[] = [];
  readonly cordoned = new Set<string>();
  readonly mute = new Set<string>();
  readonly foreign = new Map<string, number>();
  keep(_: string, targets: readonly Target[]): void {
    this.targets = targets;
  }
  probe(): Promise<readonly Heard[]> {
    return Promise.resolve(this.targets.map(({ address }) => this.#heard(address)));
  }
  heard(_: string, address: string) {
    const target = this.targets.find((one) => one.address === address);
    return target && { pod: target.pod, heard: this.#heard(address) };
  }
  #heard(address: string): Heard {
    if (this.mute.has(address)) return { address, ready: false, message: 'no answer' };
    return { address, ready: true, capacity: 2, running: this.foreign.get(address) ?? 0, version: '1' };
  }
  cordon(_: string, address: string): void {
    this.cordoned.add(address);
  }
  forget(): Promise<void> {
    return Promise.resolve();
  }
}

class World implements Disposable {
  readonly api = new MemoryApi();
  readonly builders = new FakeBuilders();
  readonly held = new Map<string, number>();
  readonly told: string[] = [];
  demand = 0;
  #pools!: Informer<BuilderPool>;
  #pods!: Informer<Pod>;
  reconcile!: ReturnType<typeof poolReconciler>;

  async open(managed: object, spec: object = {}): Promise<this> {
    this.spec(managed, spec);
    this.api.put('nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } });
    this.#pools = await this.api.informer(builderPoolType);
    this.#pods = await this.api.informer(podType);
    await this.restart();
    return this;
  }

  /** Another operator takes over. */
  async restart(): Promise<void> {
    const managed = new ManagedPods({
      client: this.api.client,
      pods: this.#pods,
      runs: await this.api.informer(knownRunType),
      settings: {
        namespace: NAMESPACE,
        image: 'builder:1',
        serverSecret: 'tls',
        clientSecret: { name: 'client', namespace: 'system' },
        serverName: 'builder',
      },
      builders: this.builders as unknown as Builders,
      dispatcher: { demand: () => ({ all: this.demand, byPlatform: new Map() }), held: () => this.held },
      events: { record: (_, type, reason, message) => void this.told.push(`${type} ${reason}: ${message}`) },
      log: silentLogger,
    });
    const builders = this.builders as unknown as Builders;
    this.reconcile = poolReconciler({
      client: this.api.client,
      pools: this.#pools,
      builders,
      managed,
      onHeard: () => {},
    });
  }

  spec(managed: object, spec: object = {}): void {
    const before = this.api.get<BuilderPool>('builderpools', { name: 'p' });
    const metadata = { name: 'p', generation: (before?.metadata.generation ?? 0) + 1 };
    const head = { apiVersion: 'slipway.build/v1alpha1', kind: 'BuilderPool', metadata };
    this.api.put('builderpools', { ...head, spec: { managed, ...spec }, status: before?.status } as BuilderPool);
  }

  /** Until nothing more is done; `ms` later. */
  async settle(ms = 0): Promise<void> {
    clock += ms;
    for (let before = -1, rounds = 0; before !== this.api.calls.length; rounds++) {
      before = this.api.calls.length;
      if (rounds > 20) throw new Error(`it does not settle: ${this.api.calls.slice(-10).join(', ')}`);
      await vi.waitFor(() => {
        for (const informer of [this.#pods, this.#pools])
          for (const one of this.api.list<Pod>(informer === this.#pods ? 'pods' : 'builderpools'))
            if (informer.get(keyOf(one))?.metadata.resourceVersion !== one.metadata.resourceVersion)
              throw new Error('not seen yet');
        if (this.#pods.list().length !== this.api.list('pods').length) throw new Error('not seen yet');
      });
      await this.reconcile('p', { signal });
    }
  }

  get pods(): string[] {
    return this.api.list<Pod>('pods').map(({ metadata }) => metadata.name);
  }
  pod = (name: string) => this.api.get<Pod>('pods', { namespace: NAMESPACE, name });
  get status() {
    return this.api.get<BuilderPool>('builderpools', { name: 'p' })?.status;
  }
  condition = (type: string) => {
    const one = this.status?.conditions?.find((condition) => condition.type === type);
    return one && `${one.status} ${one.reason}: ${one.message}`;
  };

  /** As a kubelet tells of it. */
  kubelet(name: string, status: object): void {
    const pod = this.pod(name) as Pod;
    this.api.put('pods', { ...pod, spec: { ...pod.spec, nodeName: 'n' }, status });
  }
  /** Its address. */
  run(name: string, ip = `10.0.0.${1 + Number(name.split('-').at(-1))}`): string {
    this.kubelet(name, { phase: 'Running', podIP: ip, containerStatuses: [{ name: 'builder', started: true }] });
    return `${ip}:8443`;
  }
  [Symbol.dispose](): void {
    this.api[Symbol.dispose]();
  }
}

const calls = (world: World, what: RegExp) => world.api.calls.filter((call) => what.test(call));

test('from zero: a run that waits has a pod made, once, which is ready when its builder answers, and goes when nobody needs it', async () => {
  using world = await new World().open({ replicas: { min: 0, max: 3 } });
  await world.settle();
  expect(world.pods).toEqual([]);
  expect(world.condition('Ready')).toMatch(/^True ScaledToZero/);
  world.demand = 1;
  await world.settle();
  expect(world.pods).toEqual(['p-0']);
  expect(world.condition('Ready')).toBe('False BuildersStarting: 0 of 1 builders answer; one starts');
  expect(world.condition('Progressing')).toMatch(/^True ScalingUp/);
  const address = world.run('p-0');
  await world.settle();
  expect(world.builders.targets).toMatchObject([
    { address, pod: 'p-0', node: 'n', serverName: 'builder', tlsSecretRef: { name: 'client', namespace: 'system' } },
  ]);
  world.demand = 0;
  world.held.set(address, 1);
  // What numbers alone have changed is written less often.
  await world.settle(60 * MINUTES);
  await world.settle(60 * MINUTES);
  expect(world.status).toMatchObject({
    ...{ ready: 1, replicas: 1, wanted: 1, running: 1, queued: 0, profile: 'privileged' },
    builders: [{ pod: 'p-0', node: 'n', address, phase: 'Ready', running: 1, capacity: 2, version: '1' }],
  });
  world.held.clear();
  await world.settle();
  expect(world.pods).toEqual(['p-0']);
  await world.settle(10 * MINUTES);
  expect(world.pods).toEqual([]);
  expect(world.builders.cordoned).toContain(address);
  expect(world.condition('Ready')).toMatch(/^True ScaledToZero/);
  expect(calls(world, /create pods/)).toEqual(['create pods p-0']);
  expect(world.told.map((line) => line.split(':')[0])).toEqual(['Normal PodCreated', 'Normal ScaledDown']);
});

test('a pod is owned by its pool, privileged in the builders’ namespace, and has what the pool says', async () => {
  using world = await new World().open({
    config: 'debug = true\n',
    storage: { emptyDir: { sizeLimit: '10Gi' } },
    architectures: ['arm64'],
    capacity: 3,
    args: ['--debug'],
    labels: { team: 'a' },
    terminationGracePeriod: '1m',
  });
  await world.settle();
  const pod = world.pod('p-0') as Pod;
  const uid = world.api.get('builderpools', { name: 'p' })?.metadata.uid;
  expect(pod.metadata).toMatchObject({
    namespace: NAMESPACE,
    labels: { team: 'a', 'slipway.build/pool': 'p', 'slipway.build/ordinal': '0' },
    annotations: { 'slipway.build/buildkitd.toml': 'debug = true\n' },
    ownerReferences: [{ kind: 'BuilderPool', name: 'p', uid, controller: true }],
  });
  expect(pod.spec).toMatchObject({
    nodeSelector: { 'kubernetes.io/arch': 'arm64', 'kubernetes.io/os': 'linux' },
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 90,
    containers: [
      {
        image: 'builder:1',
        args: expect.arrayContaining([
          '--max-runs=3',
          '--drain-timeout=60s',
          '--oci-worker-gc-max-used-space=8589MB',
          '--debug',
        ]),
        securityContext: { privileged: true },
      },
    ],
  });
});

test('in a user namespace the pod is root of nothing but its own', async () => {
  using world = await new World().open({ profile: 'userNamespace' });
  await world.settle();
  expect(world.pod('p-0')?.spec).toMatchObject({
    hostUsers: false,
    containers: [{ securityContext: { procMount: 'Unmasked' } }],
  });
  expect(JSON.stringify(world.pod('p-0')?.spec)).not.toContain('privileged');
  expect(world.status?.profile).toBe('userNamespace');
});

test('a volume is made before its pod, and found again by the next one', async () => {
  using world = await new World().open({
    storage: { persistentVolumeClaim: { size: '10Gi', storageClassName: 'fast' } },
  });
  await world.settle();
  expect(calls(world, /create/)).toEqual(['create persistentvolumeclaims state-p-0', 'create pods p-0']);
  expect(world.pod('p-0')?.spec).toMatchObject({
    volumes: expect.arrayContaining([{ name: 'state', persistentVolumeClaim: { claimName: 'state-p-0' } }]),
  });
  world.api.delete('pods', { namespace: NAMESPACE, name: 'p-0' });
  await world.settle();
  expect(world.pods).toEqual(['p-0']);
  expect(world.api.list('persistentvolumeclaims')).toHaveLength(1);
});

test('an image that cannot be had, and a pod that no node takes, are told in status and Events', async () => {
  using world = await new World().open({});
  await world.settle();
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message: '0/3 nodes are available',
  };
  world.kubelet('p-0', { phase: 'Pending', conditions: [condition] });
  await world.settle();
  expect(world.condition('Ready')).toBe('False Unschedulable: 0 of 1 builders answer; p-0: 0/3 nodes are available');
  const waiting = { reason: 'ImagePullBackOff', message: 'builder:1: not found' };
  world.kubelet('p-0', { phase: 'Pending', containerStatuses: [{ name: 'builder', state: { waiting } }] });
  await world.settle();
  await world.settle();
  expect(world.condition('Degraded')).toBe('True ImagePullBackOff: p-0: builder:1: not found');
  expect(world.told).toContain('Warning ImagePullBackOff: p-0: builder:1: not found');
  expect(world.told.filter((line) => line.includes('ImagePullBackOff'))).toHaveLength(1);
  expect(world.pods).toEqual(['p-0']);
});

test('a rollout cordons a builder that has runs, waits for their end, and goes on after a change of operators', async () => {
  using world = await new World().open({ replicas: { min: 2, max: 2 } });
  await world.settle();
  const addresses = [world.run('p-0'), world.run('p-1')];
  for (const address of addresses) world.held.set(address, 1);
  await world.settle();
  world.spec({ replicas: { min: 2, max: 2 }, image: 'builder:2' });
  await world.settle();
  expect(world.pod('p-0')?.metadata.annotations).toMatchObject({ 'slipway.build/cordon': 'Rollout' });
  expect(world.pod('p-1')?.metadata.annotations).not.toHaveProperty('slipway.build/cordon');
  expect(world.builders.cordoned).toEqual(new Set([addresses[0]]));
  expect(world.condition('Progressing')).toBe('True RollingOut: p-0 end their runs');
  await world.restart();
  await world.settle(60 * MINUTES);
  expect(world.pods).toEqual(['p-0', 'p-1']);
  world.held.delete(addresses[0]!);
  await world.settle();
  expect(world.pods).toEqual(['p-1', 'p-2']);
  expect(world.pod('p-2')?.spec).toMatchObject({ containers: [{ image: 'builder:2' }] });
  // The other one only when the first is back.
  await world.settle();
  expect(world.pod('p-1')?.metadata.annotations).not.toHaveProperty('slipway.build/cordon');
  world.run('p-2');
  await world.settle();
  expect(world.pod('p-1')?.metadata.annotations).toMatchObject({ 'slipway.build/cordon': 'Rollout' });
});

test('one that is busy with others’ builds is not idle', async () => {
  using world = await new World().open({ replicas: { min: 0, max: 1 } });
  world.demand = 1;
  await world.settle();
  world.builders.foreign.set(world.run('p-0'), 1);
  world.demand = 0;
  await world.settle(60 * MINUTES);
  expect(world.pods).toEqual(['p-0']);
});

test('pods that fail are made again, later and later', async () => {
  using world = await new World().open({});
  await world.settle();
  const evicted = { phase: 'Failed', reason: 'Evicted', message: 'the node was low on disk' };
  world.kubelet('p-0', evicted);
  await world.settle();
  await world.settle();
  expect(world.pods).toEqual(['p-1']);
  expect(world.told).toContain('Warning PodEnded: p-0 goes: the pod has ended: the node was low on disk');
  world.kubelet('p-1', evicted);
  await world.settle();
  expect(world.pods).toEqual([]);
  await world.settle(MINUTES);
  expect(world.pods).toEqual(['p-0']);
});

test('one that is refused by the API server is told of, and tried again when looked at next', async () => {
  using world = await new World().open({});
  world.api.refuse = ({ plural }) => {
    if (plural === 'pods')
      throw new KubeError('permission_denied', 'pods "p-0" is forbidden: exceeded quota', 'Forbidden', {});
  };
  await world.reconcile('p', { signal });
  expect(world.condition('Degraded')).toBe('True PodRefused: pods "p-0" is forbidden: exceeded quota');
  world.api.refuse = () => {};
  await world.settle();
  expect(world.pods).toEqual(['p-0']);
  expect(world.condition('Degraded')).toMatch(/^False/);
});

test('a node that is cordoned: its builder is given no more, and is replaced', async () => {
  using world = await new World().open({});
  await world.settle();
  const address = world.run('p-0');
  world.held.set(address, 1);
  await world.settle();
  world.api.put('nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec: { unschedulable: true },
  } as Pod);
  await world.settle(11_000);
  expect(world.builders.targets).toMatchObject([{ address, cordoned: true }]);
  expect(world.status?.builders).toMatchObject([
    { pod: 'p-0', phase: 'Cordoned', reason: 'NodeDrained' },
    { pod: 'p-1' },
  ]);
});

test('one that does not answer while another does is set aside, labelled, replaced, and goes in the end', async () => {
  using world = await new World().open({ replicas: { min: 2, max: 2 } });
  await world.settle();
  const silent = world.run('p-0');
  world.run('p-1');
  await world.settle();
  world.builders.mute.add(silent);
  await world.settle();
  await world.settle(5 * MINUTES);
  expect(world.pods).toEqual(['p-0', 'p-1', 'p-2']);
  expect(world.pod('p-0')?.metadata.labels).toHaveProperty('slipway.build/quarantined');
  expect(world.status?.builders?.[0]).toMatchObject({ pod: 'p-0', phase: 'Quarantined', reason: 'NotAnswering' });
  vi.spyOn(world.api.client, 'now').mockReturnValue(Date.now() + 61 * MINUTES);
  await world.settle();
  expect(world.pods).toEqual(['p-1', 'p-2']);
});

test('its node is told to leave it alone for as long as it has runs', async () => {
  using world = await new World().open({});
  await world.settle();
  const address = world.run('p-0');
  await world.settle();
  const says = () => world.pod('p-0')?.metadata.annotations;
  expect(says()).not.toHaveProperty('karpenter.sh/do-not-disrupt');
  world.held.set(address, 1);
  await world.settle();
  expect(says()).toMatchObject({
    'karpenter.sh/do-not-disrupt': 'true',
    'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
  });
  world.held.clear();
  await world.settle();
  expect(says()).toEqual({ 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'true' });
});

test('a pool that is no longer managed loses its pods; one of an operator without a namespace for them says so', async () => {
  using world = await new World().open({});
  await world.settle();
  world.run('p-0');
  await world.settle();
  world.spec(undefined as unknown as object, { endpoints: [{ address: 'elsewhere:1' }] });
  await world.settle();
  expect(world.pods).toEqual([]);

  using bare = await new World().open({});
  const pools = await bare.api.informer(builderPoolType);
  const builders = bare.builders as unknown as Builders;
  await poolReconciler({ client: bare.api.client, pools, builders, onHeard: () => {} })('p', { signal });
  expect(bare.condition('Ready')).toMatch(/^False NotManaged: .*--builders-namespace/);
});

test('another pod of the name is left alone', async () => {
  using world = await new World().open({});
  world.api.put('pods', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p-0', namespace: NAMESPACE } } as Pod);
  await world.reconcile('p', { signal });
  expect(world.pods).toEqual(['p-0']);
  expect(world.pod('p-0')?.spec).toBeUndefined();
  expect(world.condition('Degraded')).toMatch(/^True PodNameTaken/);
});
