import { type AbortOptions, CodedError, toCodedError } from '../../base/index.ts';
import { API_VERSION } from '../../resources/index.ts';
import { timeText } from '../conditions.ts';
import type { KnownRun } from '../known.ts';
import { FIELD_MANAGER } from '../resource-types.ts';
import { clip, type KubeClient, type KubeObject, uncheckedType } from '../runtime/index.ts';

/** What is read of a Workload: another's, and unchecked. */
interface Workload extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type?: string;
      readonly status?: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

const workloadType = uncheckedType<Workload>({
  ...{ group: 'kueue.x-k8s.io', version: 'v1beta1', plural: 'workloads', kind: 'Workload', namespaced: true },
});

/** What Kueue says of a run; `evicted` of one that is to give back what it has. */
type Admission =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'waits' | 'evicted'; readonly reason: string; readonly message: string };

/** How often a run of Kueue's is looked at: nothing tells of its Workload. */
export const KUEUE_LOOK_MS = 2000;

/**
 * Hands the admission of runs to Kueue (kueue.x-k8s.io): a run of a Build that names a queue is a Workload of the requests of the Build, and has its turn among Slipway's own once that is admitted. One
 * that is evicted is as one that was never admitted.
 */
export class Kueue {
  readonly #client: KubeClient;
  /** Runs that had their turn, by uid. */
  readonly #admitted = new Set<string>();
  /** Runs of whose end Kueue knows. */
  readonly #finished = new Set<string>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Whether it has not been admitted yet, as far as was seen. */
  holds(run: KnownRun): boolean {
    return run.queueName !== undefined && !this.#admitted.has(run.metadata.uid as string);
  }

  forget(uid: string): void {
    this.#admitted.delete(uid);
    this.#finished.delete(uid);
  }

  /** Looks whether the run is admitted; makes its Workload where there is none. @throws CodedError when the API server does not answer */
  async look(run: KnownRun, options: AbortOptions): Promise<Admission> {
    const admission = await this.#admission(run, options);
    if (admission.kind === 'admitted') this.#admitted.add(run.metadata.uid as string);
    else if (admission.kind === 'evicted' || run.status?.phase === 'Queued')
      this.#admitted.delete(run.metadata.uid as string);
    return admission;
  }

  async #admission(run: KnownRun, options: AbortOptions): Promise<Admission> {
    try {
      const workload = await this.#workload(run, options);
      const condition = (type: string) => workload.status?.conditions?.find((one) => one.type === type);
      const isEvicted = condition('Evicted')?.status === 'True';
      if (condition('Admitted')?.status === 'True' && !isEvicted) return { kind: 'admitted' };
      const why = [condition('Evicted'), condition('QuotaReserved')].find((one) => one?.message);
      const message = `waits for the queue ${run.queueName} of Kueue${why === undefined ? '' : `: ${why.message}`}`;
      return { kind: isEvicted ? 'evicted' : 'waits', reason: 'KueueNotAdmitted', message: clip(message, 1024) };
    } catch (error) {
      const { code, message } = toCodedError(error);
      if (code === 'not_found' || code === 'permission_denied' || code === 'invalid_argument')
        return {
          kind: 'waits',
          reason: code === 'not_found' ? 'KueueNotInstalled' : 'KueueRefused',
          message: clip(`the Build names the queue ${run.queueName} of Kueue: ${message}`, 1024),
        };
      throw error;
    }
  }

  /** Has Kueue give back what the run had; once it was told nothing is told again. */
  async finish(run: KnownRun, { signal }: AbortOptions): Promise<void> {
    const uid = run.metadata.uid as string;
    this.#admitted.delete(uid);
    if (run.queueName === undefined || this.#finished.has(uid)) return;
    const key = { namespace: run.metadata.namespace, name: nameOf(run) };
    const { phase = '' } = run.status ?? {};
    const condition = {
      ...{ type: 'Finished', status: 'True', reason: phase, message: `the BuildRun is ${phase}` },
      lastTransitionTime: run.status?.completedAt ?? timeText(this.#client.now()),
    };
    const object = { ...head, metadata: key, status: { conditions: [condition] } };
    try {
      await this.#client.apply(workloadType, object, { signal, fieldManager: FIELD_MANAGER, subresource: 'status' });
    } catch (error) {
      // It was never made, or has gone since.
      if (toCodedError(error).code !== 'not_found') throw error;
    }
    this.#finished.add(uid);
  }

  async #workload(run: KnownRun, { signal }: AbortOptions): Promise<Workload> {
    const key = { namespace: run.metadata.namespace, name: nameOf(run) };
    try {
      const found = await this.#client.get(workloadType, key, { signal });
      const [owner] = found.metadata.ownerReferences ?? [];
      if (owner?.uid === run.metadata.uid) return found;
      throw new CodedError('permission_denied', `there is a Workload ${key.name} that is not of this run`);
    } catch (error) {
      if (toCodedError(error).code !== 'not_found') throw error;
    }
    return await this.#client.create(workloadType, workloadOf(run), { signal, fieldManager: FIELD_MANAGER });
  }
}

const head = { apiVersion: `${workloadType.group}/${workloadType.version}`, kind: workloadType.kind };

const nameOf = ({ metadata }: KnownRun): string => metadata.name;

function workloadOf(run: KnownRun): KubeObject & { readonly spec: object } {
  const { name, namespace, uid } = run.metadata;
  const requests = run.spec.buildSpec.resources?.requests ?? {};
  const container = { name: 'build', image: 'slipway-builder', resources: { requests } };
  return {
    ...head,
    metadata: {
      ...{ name: nameOf(run), namespace },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'BuildRun', name, uid: uid as string, controller: true }],
    },
    spec: {
      queueName: run.queueName,
      // No pod is made of it: it tells what the build takes of the quota.
      podSets: [{ name: 'build', count: 1, template: { spec: { restartPolicy: 'Never', containers: [container] } } }],
    },
  };
}
