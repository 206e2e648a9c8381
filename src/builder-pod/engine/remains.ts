import type { CodedError } from '../../base/index.ts';
import { type Digest, newId, restated } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { opToProtoJson, type VertexOp } from '../../llb/index.ts';
import type { Remains, Result, Vertex } from '../../solver/index.ts';

type RefResult = Result<ImmutableRef>;

interface FailedStep {
  readonly vertex: Vertex<VertexOp>;
  readonly subject: Remains['subject'];
  readonly inputIds: readonly string[];
  readonly mountIds: readonly string[];
  readonly held: readonly RefResult[];
}

/** Steps of one build whose remains are kept at once; those that failed longest ago make room. */
const MAX_STEPS = 16;
/** Bytes of an op that is told with its error: of a larger one (files in the graph) its vertex tells. */
const MAX_OP_BYTES = 256 << 10;
/** BuildKit's names; what is 0 is left out. */
const SUBJECTS = { action: 'file', content: 'cache' } as const;

/** What the failed steps of a build have left, by ids that are told with their errors: a debugger opens containers on it while the build lives. */
export class FailedSteps {
  /** Oldest first. */
  readonly #steps = new Map<Digest, FailedStep>();
  readonly #refs = new Map<string, ImmutableRef>();
  #closed = false;

  /** {@link JobOptions.keepRemains} */
  keep(vertex: Vertex<VertexOp>, { subject, inputs, mounts }: Remains<ImmutableRef>): void {
    if (this.#closed) return;
    const held: RefResult[] = [];
    const idOf = (result: RefResult | undefined): string => {
      if (result === undefined) return '';
      const clone = result.clone();
      held.push(clone);
      const id = newId();
      this.#refs.set(id, clone.value);
      return id;
    };
    const [inputIds, mountIds] = [inputs.map(idOf), mounts.map(idOf)];
    this.#drop(vertex.digest);
    this.#steps.set(vertex.digest, { vertex, subject, inputIds, mountIds, held });
    for (const [oldest] of this.#steps) if (this.#steps.size > MAX_STEPS) this.#drop(oldest);
  }

  find(id: string): ImmutableRef | undefined {
    return this.#refs.get(id);
  }

  /** The error with what its step left: `errdefs.Solve`. */
  tell(error: CodedError): CodedError {
    const detail = (type: string) => error.details.find((one) => one.type === type)?.value;
    const { digest } = (detail('errdefs.Vertex') ?? {}) as { readonly digest?: Digest };
    const step = digest === undefined ? undefined : this.#steps.get(digest);
    if (step === undefined || detail('errdefs.Solve') !== undefined) return error;
    const { vertex, subject, inputIds, mountIds } = step;
    const { description } = vertex.op.metadata;
    const value = {
      inputIDs: inputIds,
      mountIDs: mountIds,
      ...(isLarger(vertex.op.op, MAX_OP_BYTES) ? {} : { op: opToProtoJson(vertex.op.op) }),
      ...(subject === undefined
        ? {}
        : { [SUBJECTS[subject.kind]]: subject.index === 0 ? {} : { index: String(subject.index) } }),
      ...(Object.keys(description).length === 0 ? {} : { description }),
    };
    return restated(error, { details: [{ type: 'errdefs.Solve', value }, ...error.details] });
  }

  close(): void {
    this.#closed = true;
    for (const digest of this.#steps.keys()) this.#drop(digest);
  }

  #drop(digest: Digest): void {
    const step = this.#steps.get(digest);
    if (step === undefined) return;
    this.#steps.delete(digest);
    for (const id of [...step.inputIds, ...step.mountIds]) this.#refs.delete(id);
    for (const result of step.held) void result.release().catch(() => {});
  }
}

/** Whether bytes and texts of a value, and what holds them, are about more than this; looks no further than it must. */
function isLarger(value: unknown, most: number): boolean {
  let left = most;
  const open: Iterator<unknown>[] = [[value].values()];
  while (left >= 0) {
    const next = open.at(-1)?.next();
    if (next === undefined) return false;
    if (next.done === true) open.pop();
    else if (typeof next.value === 'string' || next.value instanceof Uint8Array) left -= 8 + next.value.length;
    else {
      left -= 8;
      if (next.value instanceof Map) open.push(next.value.entries());
      else if (Array.isArray(next.value)) open.push(next.value.values());
      else if (typeof next.value === 'object' && next.value !== null) open.push(Object.values(next.value).values());
    }
  }
  return true;
}
