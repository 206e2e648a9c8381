import type { AbortOptions, Descriptor, Digest, WorkOptions } from '../../base/index.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import type { BlobSource } from '../registry-client/index.ts';
import {
  attach,
  attachedAt,
  attachedTag,
  isOf,
  SIGNATURE,
  type SignatureRepository,
  signedAnnotations,
} from './attached.ts';
import type { SealArgs } from './envelope-task.ts';
import type { Signer } from './signer.ts';

const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';
const PREDICATE_TYPE = 'predicateType';

const task = tasksOf<typeof import('./envelope-task.ts')>(siblingModule(import.meta.url, './envelope-task'));

/** A statement in its signed envelope. */
interface SealedStatement {
  /** As manifests name the envelope. */
  readonly layer: Descriptor;
  /** Undefined for one that was written into the file. */
  readonly bytes: Uint8Array | undefined;
}

interface StatementToSeal extends Pick<SealArgs, 'from' | 'subjects' | 'file'> {
  readonly predicateType: string;
}

/** Signs an in-toto statement as `cosign attest` does, once for all that it is then attached to. */
export async function sealStatement(
  { predicateType, ...args }: StatementToSeal,
  signer: Signer,
  pool: WorkerPool,
  options: WorkOptions,
): Promise<SealedStatement> {
  const sealing = { ...args, ...signer.key.forTasks, withStatement: signer.log !== undefined };
  const { digest, size, bytes, signature, statement } = await pool.run(task('sealStatement'), sealing, options);
  const content = { kind: 'statement', statement: statement ?? new Uint8Array(), signature, envelope: digest } as const;
  const annotations = {
    [SIGNATURE]: '',
    [PREDICATE_TYPE]: predicateType,
    ...(await signedAnnotations(signer, content, options)),
  };
  return { layer: { mediaType: ENVELOPE_TYPE, digest, size, annotations }, bytes };
}

/**
 * Attaches envelopes to a manifest or index, as cosign finds them. They take the place of what the same signer has attested of the same kinds before.
 * @returns the descriptor of the manifest that holds them
 */
export async function attachEnvelopes(
  repository: SignatureRepository,
  digest: Digest,
  envelopes: readonly { readonly layer: Descriptor; readonly blob: BlobSource }[],
  signer: Signer,
  options: AbortOptions,
): Promise<Descriptor> {
  const tag = attachedTag(digest, 'att');
  const { layers } = await attachedAt(repository, tag, options);
  const kindOf = ({ annotations }: Descriptor) => annotations?.[PREDICATE_TYPE];
  const kinds = new Set(envelopes.map(({ layer }) => kindOf(layer)));
  const others = layers.filter((one) => !(isOf(one, signer) && kinds.has(kindOf(one))));
  return await attach(
    repository,
    tag,
    [...others, ...envelopes.map(({ layer }) => layer)],
    envelopes.map(({ blob }) => blob),
    options,
  );
}
