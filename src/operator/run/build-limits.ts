import type { wire } from '../../builder-api/index.ts';
import { type BuilderPool, parseByteSize } from '../../resources/index.ts';

/** What a pool bounds of what is done for the runs on it, as builders are told; undefined for nothing. */
export function buildLimits(
  pool: Pick<BuilderPool, 'metadata' | 'spec'> | undefined,
): wire.slipway.builder.v1.Limits.$Properties | undefined {
  const limits = pool?.spec.limits;
  if (limits === undefined) return undefined;
  const { stepProcesses = 0, unpackedLayerEntries = 0, stepMemory, unpackedLayerBytes, contextBytes } = limits;
  const bytes = (size: string | undefined) => (size === undefined ? 0 : parseByteSize(size));
  return {
    ...{ stepProcesses, unpackedLayerEntries },
    stepMemory: bytes(stepMemory),
    unpackedLayerBytes: bytes(unpackedLayerBytes),
    contextBytes: bytes(contextBytes),
    setBy: `the BuilderPool ${pool?.metadata.name}`,
  };
}
