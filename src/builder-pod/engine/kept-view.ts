import type { Afterwork } from '../../base/index.ts';
import type { ImmutableRef, Mounted, RefOptions } from '../../cache/ports.ts';

interface View {
  readonly ref: string;
  readonly mounted: Mounted;
  users: number;
}

/**
 * The file system that a build's frontend reads: it stays mounted between reads, which come in rows on one ref. One for a build, so that what is
 * mounted is bounded; unmounted when another ref is read, or `signal` says that the build is over.
 */
export class KeptView {
  readonly #afterwork: Afterwork;
  readonly #signal: AbortSignal;
  #kept: View | undefined;

  constructor(afterwork: Afterwork, signal: AbortSignal) {
    this.#afterwork = afterwork;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#keep(undefined), { once: true });
  }

  /** Gives `read` the ref's files. The view holds the ref by itself. */
  async use<T>(
    ref: Pick<ImmutableRef, 'id' | 'mount'>,
    options: RefOptions,
    read: (root: string) => Promise<T>,
  ): Promise<T> {
    let view = this.#kept;
    if (view?.ref !== ref.id) {
      view = { ref: ref.id, mounted: await ref.mount(options), users: 0 };
      if (!this.#signal.aborted) this.#keep(view);
    }
    view.users++;
    try {
      return await read(view.mounted.root);
    } finally {
      view.users--;
      if (view !== this.#kept) this.#unmountIdle(view);
    }
  }

  #keep(view: View | undefined): void {
    const before = this.#kept;
    this.#kept = view;
    if (before !== undefined) this.#unmountIdle(before);
  }

  /** Nobody waits for it: the kernel takes its time to unmount. */
  #unmountIdle({ users, mounted }: View): void {
    if (users === 0) this.#afterwork.run(() => Promise.resolve(mounted[Symbol.asyncDispose]()));
  }
}
