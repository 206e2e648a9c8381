import { z } from 'zod';
import { type AbortOptions, toCodedError } from '../../base/index.ts';
import type { FluxArtifact, FluxReference } from '../../plan/index.ts';
import { type FluxSource, fluxSourceTypes } from '../resource-types.ts';
import type { KubeClient } from '../runtime/index.ts';
import { MissingValue } from './missing.ts';

const artifact = z.object({
  url: z
    .string()
    .max(2048)
    .regex(/^https?:\/\/[^\s/?#]/),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  revision: z.string().min(1).max(512),
  lastUpdateTime: z.string().optional(),
});

/**
 * What a source of Flux has fetched last, once it is what the source asks for now, and since when (ms since the epoch).
 * @throws MissingValue where there is no source, or it has nothing yet; CodedError when the API server does not answer
 */
export async function fluxArtifact(
  reference: FluxReference,
  namespace: string,
  options: { readonly client: KubeClient } & AbortOptions,
): Promise<FluxArtifact & { readonly since: number }> {
  const { kind, name, field } = reference;
  const object = await get(reference, namespace, options);
  if (object === undefined)
    throw new MissingValue(
      'FluxSourceNotFound',
      `${field}: there is no ${kind} ${name} in namespace ${namespace}, or Flux is not installed`,
    );
  const { status } = object;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const isCurrent = status?.observedGeneration === object.metadata.generation;
  if (status?.artifact === undefined || ready?.status !== 'True' || !isCurrent) {
    const why = ready?.status === 'False' ? (ready.message ?? 'it is not Ready') : 'it is being fetched';
    throw new MissingValue('FluxSourceNotReady', `${field}: the ${kind} ${name} is not ready: ${why}`);
  }
  const parsed = artifact.safeParse(status.artifact);
  if (parsed.success) {
    const { lastUpdateTime, ...rest } = parsed.data;
    return { ...rest, since: Date.parse(lastUpdateTime ?? '') || 0 };
  }
  throw new MissingValue(
    'FluxArtifactUnusable',
    `${field}: the artifact of the ${kind} ${name}: ${parsed.error.issues[0]?.path.join('.')}: an http URL, a sha256 digest and a revision are needed`,
  );
}

async function get(
  { kind, name, field }: FluxReference,
  namespace: string,
  { client, signal }: { readonly client: KubeClient } & AbortOptions,
): Promise<FluxSource | undefined> {
  for (const type of fluxSourceTypes(kind))
    try {
      return await client.get(type, { namespace, name }, { signal });
    } catch (error) {
      const { code } = toCodedError(error);
      if (code === 'permission_denied')
        throw new MissingValue('FluxSourceForbidden', `${field}: the operator may not read the ${kind} ${name}`);
      if (code !== 'not_found') throw error;
    }
  return undefined;
}
