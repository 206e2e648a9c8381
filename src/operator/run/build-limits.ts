import type { wire } from '../../builder-api/index.ts';
import { type BuilderPool, type BuildSpec, parseByteSize, parseCpuMillis } from '../../resources/index.ts';

/** What a pool bounds of what is done for the runs on it, as builders are told; undefined for nothing. */
export function buildLimits(
  pool: Pick<BuilderPool, 'metadata' | 'spec'> | undefined,
): wire.slipway.builder.v1.Limits.$Properties | undefined {
  const limits = pool?.spec.limits;
  if (limits === undefined) return undefined;
  const { stepProcesses = 0, unpackedLayerEntries = 0, stepMemory, stepCpu, unpackedLayerBytes, contextBytes } = limits;
  const bytes = (size: string | undefined) => (size === undefined ? 0 : parseByteSize(size));
  return {
    ...{ stepProcesses, unpackedLayerEntries },
    stepMemory: bytes(stepMemory),
    ...(stepCpu === undefined ? {} : { stepCpuMillis: parseCpuMillis(stepCpu) }),
    unpackedLayerBytes: bytes(unpackedLayerBytes),
    contextBytes: bytes(contextBytes),
    setBy: `the BuilderPool ${pool?.metadata.name}`,
  };
}

/** What a Build bounds of its own steps, as builders are told; undefined for nothing. */
export function stepResources(
  { resources }: Pick<BuildSpec, 'resources'>,
  subject: string,
): wire.slipway.builder.v1.Limits.$Properties | undefined {
  const limits = resources?.limits;
  if (limits === undefined) return undefined;
  const { cpu, memory, pids = 0 } = limits;
  return {
    stepProcesses: pids,
    stepMemory: memory === undefined ? 0 : parseByteSize(memory),
    stepCpuMillis: cpu === undefined ? 0 : parseCpuMillis(cpu),
    setBy: `the Build ${subject}`,
  };
}
