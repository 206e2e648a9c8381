import type { AbortOptions } from '../../base/index.ts';
import type { ExecOp } from '../../llb/index.ts';

/** Gives containers their networks. */
export interface NetworkProvider {
  /** As clients know it. */
  readonly name: string;
  /** One for the container of this id, which is the container's until it is disposed: after its end. */
  acquire(container: { readonly id: string }, options: AbortOptions): Promise<Network>;
}

export interface Network extends AsyncDisposable {
  readonly access: NetworkAccess;
}

/** What a network means for a container, as plain data. */
export interface NetworkAccess {
  /** A namespace that is there already, by its path, or one of its own with nothing but a loopback; undefined is the builder's. */
  readonly namespace?: { readonly path?: string };
  /** Whether a sandboxed process may have raw sockets: where others are, these would show what they send. */
  readonly rawSockets: boolean;
  /** Whether it may talk to the machine's hypervisor and to others on it: such sockets belong to no network namespace. */
  readonly vsock: boolean;
}

/** Who provides for each of LLB's network modes. */
export type Networks = Readonly<Record<ExecOp['network'], NetworkProvider>>;

/** A provider that has nothing to set up or take down. */
function always(name: string, access: NetworkAccess): NetworkProvider {
  return {
    name,
    acquire: async (_, { signal }) => {
      signal.throwIfAborted();
      return { access, [Symbol.asyncDispose]: async () => {} };
    },
  };
}

/** The builder's network because its operator allows it to whoever builds (the entitlement `network.host`). */
const entitled = always('host', { rawSockets: true, vsock: true });
const none = always('none', { namespace: {}, rawSockets: true, vsock: false });
/** The builder's together with other steps, because it has nothing else to give. */
const shared = always('host', { rawSockets: false, vsock: false });

/** Networks of steps that ask for none in particular, by the name that the builder's configuration has for them. */
const DEFAULTS = { host: shared, none } as const satisfies Record<string, NetworkProvider>;
export type NetworkMode = keyof typeof DEFAULTS;
export const NETWORK_MODES = Object.keys(DEFAULTS) as readonly NetworkMode[];

export function networksOf(mode: NetworkMode): Networks {
  return { unset: DEFAULTS[mode], host: entitled, none };
}
