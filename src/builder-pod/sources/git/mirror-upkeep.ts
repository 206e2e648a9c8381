import {
  type AbortOptions,
  cancelledError,
  HOUSE,
  type Logger,
  onAbort,
  silentLogger,
  type WorkOptions,
} from '../../../base/index.ts';
import type { RefManager } from '../../../cache/ports.ts';
import type { WorkerPool } from '../../../sys/index.ts';
import { Git } from './git-command.ts';
import { withMirror } from './mirror.ts';

/** Commits that a mirror may have before it is packed anew, and how many it keeps then: the others are fetched again when they are wanted. */
const LIMITS = { most: 100, kept: 50 };

/** A mirror as it is found in the cache. */
interface Mirror {
  readonly scope: string;
  readonly url: string;
  readonly sha256: boolean;
}

export function mirrorKey(url: string): string {
  return `git-mirror:${url}`;
}

/** Keeps mirrors from growing with every commit that was ever built, in the background: whoever wants a mirror never waits for that. */
export class MirrorUpkeep implements AsyncDisposable {
  readonly #refs: RefManager;
  readonly #pool: WorkerPool;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #under = new Map<string, { readonly controller: AbortController; readonly done: Promise<void> }>();

  constructor(refs: RefManager, pool: WorkerPool, log: Logger = silentLogger) {
    this.#refs = refs;
    this.#pool = pool;
    this.#log = log;
  }

  /** A build wants this mirror: what is under way there ends, and is taken up again after some later fetch. */
  async giveWay({ scope, url }: Pick<Mirror, 'scope' | 'url'>, { signal }: AbortOptions): Promise<void> {
    const under = this.#under.get(`${scope} ${url}`);
    under?.controller.abort(cancelledError());
    using aborted = onAbort(signal);
    await Promise.race([under?.done, aborted.promise]);
  }

  /** Something was fetched into this mirror, which nobody holds any more. */
  fetched(mirror: Mirror): void {
    const name = `${mirror.scope} ${mirror.url}`;
    if (this.#under.has(name) || this.#stop.signal.aborted) return;
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, this.#stop.signal]);
    const done = this.#tidy(mirror, { signal, owner: HOUSE })
      .catch((error: unknown) => {
        if (!signal.aborted) this.#log.warn('a git mirror could not be packed anew', { url: mirror.url, err: error });
      })
      .finally(() => this.#under.delete(name));
    this.#under.set(name, { controller, done });
  }

  async #tidy({ scope, url, sha256 }: Mirror, options: WorkOptions): Promise<void> {
    const description = { description: `git mirror of ${url}`, recordType: 'regular' } as const;
    const ref = await this.#refs.openNamed(
      { scope, key: mirrorKey(url), sharing: 'locked' },
      { ...options, ...description },
    );
    await using _held = { [Symbol.asyncDispose]: () => ref.release() };
    await using store = await ref.mount(options);
    await using git = await Git.open({ config: {} }, { ...options, pool: this.#pool });
    await withMirror(git, store.root, sha256, (gitDir) => tidyMirror(git, gitDir));
  }

  /** Resolves once nothing is under way. */
  async idle(): Promise<void> {
    while (this.#under.size > 0) await Promise.all([...this.#under.values()].map(({ done }) => done));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(cancelledError());
    await this.idle();
  }
}

/** Lets go of the oldest commits of a mirror that has many, and packs what is left. */
export async function tidyMirror(git: Git, gitDir: string, { most, kept } = LIMITS): Promise<void> {
  const list = ['for-each-ref', '--sort=-creatordate', '--format=%(refname)', 'refs/slipway/'];
  const names = (await git.run('list the mirror', list, { gitDir })).split('\n').filter((name) => name !== '');
  if (names.length <= most) return;
  const deletions = names.slice(kept).map((name) => `delete ${name}\n`);
  await git.run('shorten the mirror', ['update-ref', '--stdin'], { gitDir, input: deletions.join('') });
  await git.run('pack the mirror', ['gc', '--quiet', '--prune=now'], { gitDir });
}
