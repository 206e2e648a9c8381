import { type Digest, digestOf } from '../../base/index.ts';

/** Chain ids of a list of diff ids, bottom first (OCI image-spec config.md, Layer ChainID). */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
