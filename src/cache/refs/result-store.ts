import { CodedError, type WorkOptions } from '../../base/index.ts';
import type { Result, ResultStore } from '../../solver/ports.ts';
import type { ImmutableRef } from '../ports.ts';
import type { Refs } from './manager.ts';

/** A solver's result that is a ref; takes over the handle. */
export function refResult(ref: ImmutableRef): Result<ImmutableRef> {
  return new RefResult(ref);
}

/** A class, since there are many. */
class RefResult implements Result<ImmutableRef> {
  readonly value: ImmutableRef;

  constructor(value: ImmutableRef) {
    this.value = value;
  }

  get id(): string {
    return this.value.id;
  }

  clone(): Result<ImmutableRef> {
    return new RefResult(this.value.clone());
  }

  release(): Promise<void> {
    return this.value.release();
  }
}

/** Results by the ids of their refs. Stored results are what the cache is made of: they stay until pruned, and `onResultDropped` tells of that. */
export class RefResultStore implements ResultStore<ImmutableRef> {
  readonly #refs: Refs;

  constructor(refs: Refs) {
    this.#refs = refs;
  }

  async save(result: Result<ImmutableRef>): Promise<string> {
    const { id } = result.value;
    const changed = this.#refs.records.options.db.run(
      `UPDATE refs SET stored = 1 WHERE id = ? AND kind <> 'mutable'`,
      id,
    );
    if (changed === 0) throw new CodedError('internal', `result ${id} is no committed ref`);
    return id;
  }

  /** What is lazy stays so: whoever mounts it pulls it, by the sessions of the builds that want it then. */
  async load(id: string, { signal }: WorkOptions): Promise<Result<ImmutableRef> | undefined> {
    signal.throwIfAborted();
    const ref = await this.#refs.get(id);
    return ref === undefined ? undefined : refResult(ref);
  }

  exists(id: string): boolean {
    return this.#refs.exists(id);
  }
}
