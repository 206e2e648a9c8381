import { type AbortOptions, type Descriptor, RecentMap, sleep } from '../../base/index.ts';

/** Names whose answers are kept at once, and identities for one of them. */
const MAX_NAMES = 10_000;
const MAX_IDENTITIES = 64;
/** The longest that one asker waits for the answer that another one is getting. */
const MAX_JOIN_MS = 5000;

/** What a registry said of a tag. */
interface TagAnswer {
  readonly descriptor: Descriptor;
  /** Whether it wanted to know who asked: then only those who show it the same may have this answer. */
  readonly isPrivate: boolean;
}

/** One who asks for a tag. */
interface Asker extends AbortOptions {
  /** Asks the registry. */
  readonly ask: () => Promise<TagAnswer>;
  /** What the asker shows to the registry, as something to compare. */
  readonly identity: () => Promise<string>;
  /** Asks whatever is known. */
  readonly fresh: boolean;
}

/** A tag that is being asked for. */
interface Asking {
  readonly answer: Promise<TagAnswer>;
  /** When the answer is kept, or will not come; never rejects. */
  readonly done: Promise<void>;
}

interface Known {
  readonly descriptor: Descriptor;
  readonly until: number;
}

/** Identity of answers that anybody gets. */
const ANYBODY = '';

/**
 * What tags named when their registries were last asked, for a set time: builds that begin soon after one another ask once. An answer that was given to somebody is kept
 * for whoever shows the registry the same, and for nobody else. What is written to a tag through the same client is known at once.
 */
export class TagMemo {
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  readonly #known = new RecentMap<string, RecentMap<string, Known>>(MAX_NAMES);
  readonly #asking = new Map<string, Asking>();

  /** `maxAgeMs` 0: nothing is kept. */
  constructor(maxAgeMs: number, now: () => number = Date.now) {
    this.#maxAgeMs = maxAgeMs;
    this.#now = now;
  }

  async resolve(tag: string, asker: Asker): Promise<Descriptor> {
    if (this.#maxAgeMs <= 0) return (await asker.ask()).descriptor;
    if (!asker.fresh) {
      let known = await this.#find(tag, asker);
      const asking = known === undefined ? this.#asking.get(tag) : undefined;
      if (asking !== undefined) {
        await waitFor(asking, asker);
        known = await this.#find(tag, asker);
      }
      if (known !== undefined) return known;
    }
    return await this.#ask(tag, asker);
  }

  /** What the tag named counts no more, nor does an answer that is on its way. */
  forget(tag: string): void {
    this.#known.delete(tag);
    this.#asking.delete(tag);
  }

  async #find(tag: string, { identity, signal }: Asker): Promise<Descriptor | undefined> {
    const answers = this.#known.get(tag);
    if (answers === undefined) return undefined;
    const now = this.#now();
    const find = (of: string) => {
      const known = answers.get(of);
      return known !== undefined && known.until > now ? known.descriptor : undefined;
    };
    const known = find(ANYBODY);
    if (known !== undefined) return known;
    try {
      return find(await identity());
    } catch {
      // Who cannot say who he is asks the registry, which tells him why that matters.
      signal.throwIfAborted();
      return undefined;
    }
  }

  async #ask(tag: string, { ask, identity }: Asker): Promise<Descriptor> {
    const answer = ask();
    this.#asking.set(tag, { answer, done: this.#keep(tag, answer, identity) });
    return (await answer).descriptor;
  }

  async #keep(tag: string, answer: Promise<TagAnswer>, identity: Asker['identity']): Promise<void> {
    const isCurrent = () => this.#asking.get(tag)?.answer === answer;
    try {
      const { descriptor, isPrivate } = await answer;
      const of = isPrivate ? await identity() : ANYBODY;
      if (!isCurrent()) return;
      const answers = this.#known.getOrMake(tag, () => new RecentMap(MAX_IDENTITIES));
      answers.set(of, { descriptor, until: this.#now() + this.#maxAgeMs });
    } catch {
      // The asker has the failure by the answer; who cannot say who he is keeps nothing.
    } finally {
      if (isCurrent()) this.#asking.delete(tag);
    }
  }
}

/** Whoever asks may be slow to say who he is: nobody else waits long for that. */
async function waitFor({ done }: Asking, { signal }: AbortOptions): Promise<void> {
  const enough = new AbortController();
  try {
    await Promise.race([done, sleep(MAX_JOIN_MS, { signal: AbortSignal.any([signal, enough.signal]) })]);
  } finally {
    enough.abort();
  }
}
