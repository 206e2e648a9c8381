import { type AbortOptions, toCodedError } from '../../base/index.ts';
import { type KubeClient, type KubeObject, uncheckedType } from '../runtime/index.ts';

interface Node extends KubeObject {
  readonly spec?: {
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly key: string; readonly effect: string }[];
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const nodeType = uncheckedType<Node>({ group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false });

/** What those who empty nodes write onto them first. */
const GOING = new Set([
  'karpenter.sh/disrupted',
  'karpenter.sh/disruption',
  'ToBeDeletedByClusterAutoscaler',
  'node.kubernetes.io/out-of-service',
  'node.cloudprovider.kubernetes.io/shutdown',
]);
const FRESH_MS = 10_000;

/** The nodes that builders are on, got by name: few, and clusters have many. */
export class Nodes {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #known = new Map<string, { readonly goes: boolean; readonly at: number }>();

  constructor(client: Pick<KubeClient, 'get'>) {
    this.#client = client;
  }

  /** Whether a node is to be emptied, does not answer, or is no more, as far as that is known. */
  goes(name: string | undefined): boolean {
    return name !== undefined && this.#known.get(name)?.goes === true;
  }

  /** Looks at these nodes again where that was some time ago, and forgets what nobody has asked for since. */
  async look(names: readonly string[], options: AbortOptions): Promise<void> {
    const now = performance.now();
    for (const [name, { at }] of this.#known) if (now - at > 10 * FRESH_MS) this.#known.delete(name);
    const due = new Set(
      names.filter((name) => now - (this.#known.get(name)?.at ?? Number.NEGATIVE_INFINITY) > FRESH_MS),
    );
    await Promise.all(
      [...due].map(async (name) => {
        const goes = await this.#look(name, options);
        this.#known.set(name, { goes: goes ?? this.goes(name), at: now });
      }),
    );
  }

  /** Undefined where the answer says nothing. */
  async #look(name: string, options: AbortOptions): Promise<boolean | undefined> {
    try {
      const { spec, status } = await this.#client.get(nodeType, { name }, options);
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      return (
        spec?.unschedulable === true ||
        spec?.taints?.some(({ key }) => GOING.has(key)) === true ||
        (ready !== undefined && ready.status !== 'True')
      );
    } catch (error) {
      options.signal.throwIfAborted();
      return toCodedError(error).code === 'not_found' ? true : undefined;
    }
  }
}
