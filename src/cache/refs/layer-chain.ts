import { type Digest, digestOf } from '../../base/index.ts';
import type { Layer } from '../ports.ts';

/** The name of the chain of no layers. */
export const EMPTY_CHAIN = '';

/**
 * Names of a chain of layers as an image describes it, bottom first. Unlike the chain ids of the image spec they cover all that is said of a layer's blob, so
 * that an image which says something wrong shares nothing with one that says it rightly.
 */
export function layerChain(layers: readonly Layer[]): Digest[] {
  const chain: Digest[] = [];
  for (const { diffId, descriptor } of layers) {
    const { digest, size, mediaType } = descriptor;
    chain.push(digestOf(JSON.stringify([chain.at(-1) ?? '', diffId, digest, size, mediaType])));
  }
  return chain;
}
