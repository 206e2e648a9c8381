import { CodedError, type Descriptor, type Digest, type WorkOptions } from '../../base/index.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import type { BlobSource } from '../registry-client/index.ts';
import {
  type AttachedOptions,
  attach,
  attachedAt,
  attachedTag,
  isOf,
  SIGNATURE,
  type SignatureRepository,
  signedAnnotations,
} from './attached.ts';
import { BUNDLE_TAIL, type Bundle, bundleHead } from './bundle.ts';
import type { SealArgs } from './envelope-task.ts';
import type { Signer } from './signer.ts';

const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';
/** A log of the first version is sent the whole statement, of which it keeps the hash alone: its client holds that five times over. */
const MAX_LOGGED_BYTES = 32 << 20;
const PREDICATE_TYPE = 'predicateType';

const task = tasksOf<typeof import('./envelope-task.ts')>(siblingModule(import.meta.url, './envelope-task'));

/** A statement in its signed envelope. */
interface SealedStatement {
  /** As manifests name the envelope. */
  readonly layer: Descriptor;
  /** Undefined for one that was written into the file. */
  readonly bytes: Uint8Array | undefined;
  /** The envelope once more, with what it is verified by. */
  readonly bundle: Bundle;
}

interface StatementToSeal extends Pick<SealArgs, 'from' | 'subjects' | 'file'> {
  readonly predicateType: string;
  /** Of the statement, in bytes. */
  readonly size: number;
}

/** Whether a log takes a statement of this size, in bytes. @throws CodedError EXPORT_ATTESTATION */
export function checkLoggable({
  predicateType,
  size,
}: {
  readonly predicateType: string;
  readonly size: number;
}): void {
  if (size <= MAX_LOGGED_BYTES) return;
  throw CodedError.of(
    'EXPORT_ATTESTATION',
    `the attestation ${predicateType} has ${size} bytes, and at most ${MAX_LOGGED_BYTES} go to a transparency log`,
    { hint: 'sign without a log (tlog: false, sign-tlog=false)' },
  );
}

/** Signs an in-toto statement as `cosign attest` does, in the old form and the new, once for all that it is then attached to. */
export async function sealStatement(
  { predicateType, size: given, ...args }: StatementToSeal,
  signer: Signer,
  pool: WorkerPool,
  options: WorkOptions,
): Promise<SealedStatement> {
  if (signer.log !== undefined) checkLoggable({ predicateType, size: given });
  const sealing = { ...args, ...signer.key.forTasks, withStatement: signer.log !== undefined };
  const { digest, size, bytes, signature, statement } = await pool.run(task('sealStatement'), sealing, options);
  const content = { kind: 'statement', statement: statement ?? new Uint8Array(), signature, envelope: digest } as const;
  const entry = await signer.log?.(content, options);
  const annotations = {
    [SIGNATURE]: '',
    [PREDICATE_TYPE]: predicateType,
    ...signedAnnotations(signer, 'statement', entry),
  };
  const head = bundleHead(signer, entry);
  const envelope = bytes === undefined ? { file: args.file as string } : { bytes };
  const parts = [{ bytes: head }, envelope, { bytes: BUNDLE_TAIL }];
  const described = await pool.run(task('describeParts'), { parts }, options);
  return {
    layer: { mediaType: ENVELOPE_TYPE, digest, size, annotations },
    bytes,
    bundle: { predicateType, head, ...described },
  };
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
  options: AttachedOptions,
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
