import { annotate, CodedError, type Digest, digestOf, KeyedMutex, type WorkOptions } from '../../base/index.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import type { ImmutableRef, RefOptions } from '../ports.ts';
import type { ContentChanges } from './changes.ts';
import type { ContentSelector } from './checksum.ts';
import type { ChangesArgs, ChecksumAnswer, ChecksumArgs } from './task.ts';

const task = tasksOf<typeof import('./task.ts')>(siblingModule(import.meta.url, './task'));
const METADATA_KEY = 'contenthash.tree';
/** A bigger tree is kept in memory only: it is cheaper to scan again than to write with each ref. */
const MAX_STORED = 8 << 20;
const MEMORY = 64 << 20;
/** Digests that are remembered; a ref's never change. */
const MAX_DIGESTS = 4096;

/**
 * Content digests of refs. What is learned of a ref's files is kept with it, so that later selectors cost no reading; a ref is only mounted for what is
 * not known yet. One calculation a ref at a time.
 */
export class ContentHasher {
  readonly #pool: WorkerPool;
  /** By ref id, least recently used first. */
  readonly #trees = new Map<string, Uint8Array>();
  #treeBytes = 0;
  /** By ref id and selectors, oldest first: a build that is cached asks what the last one asked. */
  readonly #digests = new Map<string, Digest>();
  readonly #turns = new KeyedMutex();

  constructor(options: { readonly pool: WorkerPool }) {
    this.#pool = options.pool;
  }

  /**
   * The slow key of an op's input: one digest over what the selectors take of `ref`, all of it without selectors. No ref is scratch.
   * @throws CodedError not_found, with BuildKit's text, for a path that is not there.
   */
  async checksum(
    ref: ImmutableRef | undefined,
    selectors: readonly ContentSelector[],
    options: RefOptions,
  ): Promise<Digest> {
    if (!ref) return scratchDigest(selectors);
    const key = digestOf(JSON.stringify([ref.id, selectors]));
    try {
      using _turn = await this.#turns.acquire(ref.id, options);
      const known = this.#digests.get(key);
      if (known !== undefined) return known;
      const digest = await this.#checksum(ref, selectors, options);
      this.#digests.set(key, digest);
      for (const oldest of this.#digests.keys()) {
        if (this.#digests.size <= MAX_DIGESTS) break;
        this.#digests.delete(oldest);
      }
      return digest;
    } catch (error) {
      throw annotate(error, `failed to calculate checksum of ref ${ref.id}`);
    }
  }

  /** Gives a ref the tree of its files, made while they were received. */
  setTree(ref: ImmutableRef, tree: Uint8Array): void {
    this.#remember(ref.id, tree);
    if (tree.length <= MAX_STORED) ref.setMetadata(METADATA_KEY, Buffer.from(tree).toString('base64'));
  }

  async #checksum(ref: ImmutableRef, selectors: readonly ContentSelector[], options: RefOptions): Promise<Digest> {
    options.signal.throwIfAborted();
    const tree = this.treeOf(ref);
    if (tree) {
      const { digest } = await this.#run({ tree, selectors }, options);
      if (digest) return digest;
    }
    await using mounted = await ref.mount(options);
    const answer = await this.#run({ directory: mounted.root, selectors, ...(tree ? { tree } : {}) }, options);
    if (answer.tree) this.setTree(ref, answer.tree);
    if (!answer.digest) throw new CodedError('internal', 'content digest task gave no digest');
    return answer.digest;
  }

  /** What is not the same in two refs of what was selected ({@link selectionText}); undefined where it is not known any more. Nothing is mounted for it. */
  async changes(
    before: ImmutableRef,
    after: ImmutableRef,
    { selection, most }: Pick<ChangesArgs, 'selection' | 'most'>,
    { signal, owner }: WorkOptions,
  ): Promise<ContentChanges | undefined> {
    const [was, is] = [this.treeOf(before), this.treeOf(after)];
    if (was === undefined || is === undefined) return undefined;
    return await this.#pool.run(task('changes'), { before: was, after: is, selection, most }, { signal, owner });
  }

  #run(args: ChecksumArgs, { signal, owner }: RefOptions): Promise<ChecksumAnswer> {
    return this.#pool.run(task('checksum'), args, { signal, owner });
  }

  /** What is known of a ref's files, e.g. to receive the next state of a directory on top of it. */
  treeOf(ref: ImmutableRef): Uint8Array | undefined {
    const known = this.#trees.get(ref.id);
    if (known) {
      this.#trees.delete(ref.id);
      this.#trees.set(ref.id, known);
      return known;
    }
    const stored = ref.getMetadata(METADATA_KEY);
    if (stored === undefined) return undefined;
    const tree = new Uint8Array(Buffer.from(stored, 'base64'));
    this.#remember(ref.id, tree);
    return tree;
  }

  #remember(id: string, tree: Uint8Array): void {
    this.#treeBytes += tree.length - (this.#trees.get(id)?.length ?? 0);
    this.#trees.delete(id);
    this.#trees.set(id, tree);
    for (const [oldest, bytes] of this.#trees) {
      if (this.#treeBytes <= MEMORY || oldest === id) break;
      this.#trees.delete(oldest);
      this.#treeBytes -= bytes.length;
    }
  }
}

function scratchDigest(selectors: readonly ContentSelector[]): Digest {
  const all = selectors.length === 0 ? [{ path: '/' }] : selectors;
  const digests = all.map(({ path }) => {
    if (path !== '' && path !== '/') throw new CodedError('not_found', `${path}: no such file or directory`);
    return digestOf('');
  });
  return digestOf(digests.join('\0'));
}
