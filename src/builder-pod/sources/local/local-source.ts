import { type AbortOptions, type Afterwork, CodedError, type WorkOptions } from '../../../base/index.ts';
import { FileSync, type ReceiveProgress, type Session, type SessionRegistry } from '../../../builder-api/index.ts';
import type { ContentHasher } from '../../../cache/contenthash/index.ts';
import type { ImmutableRef, MutableRef, RefManager } from '../../../cache/ports.ts';
import type { VertexProgress } from '../../../solver/ports.ts';
import { siblingModule } from '../../../sys/index.ts';
import { withAnySession } from '../../session/index.ts';
import { type LocalSource, sharedKeyOf } from './attributes.ts';
import type { ReceiveDirectoryArgs, ReceivedDirectory } from './receive-task.ts';

/** What session threads load to receive directories. */
export const receiveModule = siblingModule(import.meta.url, './receive-task');

/** Each changed transfer is a layer on the last; above so many the next starts from nothing. */
const MAX_DEPTH = 24;
const DEPTH_KEY = 'local.depth';
/** Chains that are to go once the builds that read them are over. */
const MAX_OLD = 1000;

/** Remembers, over restarts, which ref last held a directory's state. */
export interface LocalStates {
  get(scope: string, key: string): string | undefined;
  set(scope: string, key: string, refId: string): void;
}

/** Where content trees of refs are kept ({@link ContentHasher}). */
type ContentTrees = Pick<ContentHasher, 'treeOf' | 'setTree'>;

interface ReceiveLocalOptions extends WorkOptions {
  readonly scope: string;
  readonly sessions: () => readonly string[];
  readonly progress: VertexProgress;
}

/**
 * Receives directories of build clients. The state that a directory had at its last transfer is an immutable ref; a new transfer writes
 * the difference into a fresh layer on top of it, which becomes the next state, one layer of all that is there for whoever packs it. So no build waits for another's transfer, a state that a
 * build reads never changes, a transfer that is cut off leaves the old state, and when nothing changed the old ref itself is the answer.
 */
export class LocalReceiver {
  readonly #registry: SessionRegistry;
  readonly #refs: RefManager;
  readonly #states: LocalStates;
  readonly #trees: ContentTrees | undefined;
  readonly #afterwork: Afterwork;
  /** Last states of directories that have begun anew. */
  readonly #old = new Set<string>();

  /** With `trees`, content digests are made while files arrive and handed there. */
  constructor(
    registry: SessionRegistry,
    refs: RefManager,
    states: LocalStates,
    afterwork: Afterwork,
    trees?: ContentTrees,
  ) {
    this.#registry = registry;
    this.#afterwork = afterwork;
    this.#refs = refs;
    this.#states = states;
    this.#trees = trees;
  }

  /** The directory as the client has it now. @throws CodedError not_found when the client does not offer it or is gone */
  async receive(source: LocalSource, options: ReceiveLocalOptions): Promise<ImmutableRef> {
    const { sessionId } = source;
    const ids = sessionId === undefined ? options.sessions : () => [sessionId];
    return await withAnySession(this.#registry, ids, (session) => this.#from(session, source, options), options);
  }

  async #from(session: Session, source: LocalSource, options: ReceiveLocalOptions): Promise<ImmutableRef> {
    if (!session.supports(FileSync, FileSync.methods.diffCopy))
      throw new CodedError(
        'failed_precondition',
        `the build client offers no directories, but the build needs ${source.name}`,
        {
          hint: `give it one, e.g. --local ${source.name}=.`,
        },
      );
    const { scope, signal, owner } = options;
    const key = sharedKeyOf(source, session);
    const base = await this.#base(scope, key);
    const depth = base === undefined ? 0 : Number(base.getMetadata(DEPTH_KEY) ?? 0);
    const description = `local source for ${source.name}`;
    const mutable = await this.#refs
      .create(base, { signal, owner, description, recordType: 'source.local', scope })
      .catch((error: unknown) => giveUp(base, error, options));
    let received: ReceivedDirectory;
    try {
      await using stack = new AsyncDisposableStack();
      const mounted = stack.use(await mutable.mount(options));
      received = await this.#transfer(session, source, mounted.root, base, options);
      if (base !== undefined && received.progress.changes === 0) {
        const rest = stack.move();
        this.#afterwork.run(async () => {
          await rest.disposeAsync();
          await mutable.release();
        });
        return base;
      }
    } catch (error) {
      await mutable.release();
      return await giveUp(base, error, options);
    }
    await base?.release();
    const state = await this.#commit(mutable, options);
    try {
      state.setMetadata(DEPTH_KEY, String(depth + 1));
      if (received.tree !== undefined) this.#trees?.setTree(state, received.tree);
      this.#states.set(scope, key, state.id);
    } catch (error) {
      await state.release();
      throw error;
    }
    this.#afterwork.run(() => this.#forgetOld());
    return state;
  }

  async #commit(mutable: MutableRef, options: AbortOptions): Promise<ImmutableRef> {
    try {
      return await mutable.commit({ ...options, whole: true });
    } catch (error) {
      await mutable.release();
      throw error;
    }
  }

  /** Nothing finds a state again that another has taken the place of. */
  async #forgetOld(): Promise<void> {
    for (const id of this.#old) if (await this.#refs.forget(id)) this.#old.delete(id);
  }

  async #base(scope: string, key: string): Promise<ImmutableRef | undefined> {
    const id = this.#states.get(scope, key);
    const base = id === undefined ? undefined : await this.#refs.get(id);
    if (base === undefined || Number(base.getMetadata(DEPTH_KEY) ?? 0) < MAX_DEPTH) return base;
    await base.release();
    if (this.#old.size < MAX_OLD) this.#old.add(base.id);
    return undefined;
  }

  async #transfer(
    session: Session,
    source: LocalSource,
    directory: string,
    base: ImmutableRef | undefined,
    { signal, progress }: ReceiveLocalOptions,
  ): Promise<ReceivedDirectory> {
    const id = `transferring ${source.name}:`;
    const started = Date.now();
    const { name, includePatterns, excludePatterns, followPaths, differ } = source;
    const args: ReceiveDirectoryArgs = {
      directory,
      differ,
      tree: base === undefined ? undefined : this.#trees?.treeOf(base),
      empty: base === undefined,
      request: { name, includePatterns, excludePatterns, followPaths },
    };
    let bytes = 0;
    progress.status({ id, name: 'transferring', started, current: 0 });
    try {
      const received = await session.run<ReceivedDirectory>({ module: receiveModule, fn: 'receiveDirectory' }, args, {
        signal,
        onMessage: (message) => {
          bytes = (message as ReceiveProgress).bytes;
          progress.status({ id, name: 'transferring', started, current: bytes });
        },
      });
      bytes = received.progress.bytes;
      return received;
    } finally {
      progress.status({ id, name: 'transferring', started, current: bytes, completed: Date.now() });
    }
  }
}

/** Had the last state's files gone, that is the failure: they are forgotten, and the next try receives all anew. */
async function giveUp(base: ImmutableRef | undefined, error: unknown, options: ReceiveLocalOptions): Promise<never> {
  try {
    if (!options.signal.aborted) await base?.check(options);
  } finally {
    await base?.release();
  }
  throw error;
}
