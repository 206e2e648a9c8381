import { type Digest, digestHex, digestOf, type Platform } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { refResult } from '../../cache/refs/index.ts';
import type { SourceOp } from '../../llb/op.ts';
import type { CacheMap, Op, OpContext } from '../../solver/ports.ts';
import type { Resolved, ResolvedSource, SourceInstance, SourceRegistry } from '../sources/source.ts';
import { sourceParts } from './cache-map/index.ts';

interface SourceOpOptions {
  readonly sources: SourceRegistry;
}

/** The source op: content from outside, resolved by the {@link SourceRegistry} of the builder. */
export function sourceOp(
  source: SourceOp,
  platform: Platform | undefined,
  options: SourceOpOptions,
): Op<ImmutableRef> & Resolved {
  // Made when first asked, so that a bad attribute fails the vertex and not the load of the graph.
  let instance: SourceInstance | undefined;
  const instanceOf = () => {
    instance ??= options.sources.resolve(source.identifier, source.attrs, platform);
    return instance;
  };
  let resolved: ResolvedSource | undefined;
  let pin: string | undefined;
  return {
    resolved: () => resolved,
    pin: () => pin,
    async cacheMap(_index: number, context: OpContext): Promise<{ map: CacheMap; done: boolean }> {
      const answer = await instanceOf().cacheKey(context);
      resolved = answer.resolved ?? resolved;
      pin = answer.pin ?? pin;
      const parts = () => sourceParts(source.identifier, answer);
      return { map: { digest: sourceKeyDigest(answer.key), inputs: [], parts }, done: true };
    },
    async exec(_inputs, context) {
      return [refResult(await instanceOf().snapshot(context))];
    },
  };
}

/** The cache-map digest of a source key. Keys that say nothing about content become `random:`, which is never exported. */
export function sourceKeyDigest(key: string): Digest {
  const digest = digestOf(`buildkit.source.v0:${key}`);
  return key.startsWith('session:') ? `random:${digestHex(digest)}` : digest;
}
