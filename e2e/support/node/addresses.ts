/** How many clusters may run beside each other. */
export const BLOCKS = 64;

/** Addresses of one cluster, all of them of the range that is set aside for tests of network devices (198.18.0.0/15). */
export interface Addresses {
  /** Of the cluster's things on the machine: its end of the link, cgroups. */
  readonly name: string;
  /** The end of the link on the machine. */
  readonly machine: string;
  readonly node: string;
  readonly linkBits: number;
  readonly pods: string;
  readonly services: string;
  /** Service of the API server. */
  readonly apiService: string;
}

export function addressesOf(block: number): Addresses {
  const at = 2 * block;
  return {
    name: `slipway-e2e-${block}`,
    machine: `198.18.${at}.1`,
    node: `198.18.${at}.2`,
    linkBits: 30,
    pods: `198.18.${at + 1}.0/24`,
    services: `198.19.${at}.0/24`,
    apiService: `198.19.${at}.1`,
  };
}
