import { type Afterwork, CodedError, type Limit, type WorkOptions } from '../../../base/index.ts';
import { FileSync, type Session, type SessionRegistry } from '../../../builder-api/index.ts';
import type { ContentHasher } from '../../../cache/contenthash/index.ts';
import type { ImmutableRef, Mounted, MutableRef, RefManager } from '../../../cache/ports.ts';
import type { VertexProgress } from '../../../solver/ports.ts';
import { siblingModule } from '../../../sys/index.ts';
import { withAnySession } from '../../session/index.ts';
import { type LocalSource, sharedKeyOf } from './attributes.ts';
import type { ReceiveDirectoryArgs, ReceivedDirectory, ReceiveReport } from './receive-task.ts';
import type { LocalStates } from './states.ts';
import type { TransferSpace } from './transfer-space.ts';

/** What session threads load to receive directories. */
export const receiveModule = siblingModule(import.meta.url, './receive-task');

/** Each changed transfer is a layer on the last; above so many the next starts from nothing. */
const MAX_DEPTH = 24;
const DEPTH_KEY = 'local.depth';
const LISTING_KEY = 'local.listing';
/** Of fewer entries a directory is made, since an image is a mount that stays. */
const MIN_IMAGE_ENTRIES = 256;
/** Chains that are to go once the builds that read them are over. */
const MAX_OLD = 1000;

/** Where content trees of refs are kept ({@link ContentHasher}). */
type ContentTrees = Pick<ContentHasher, 'treeOf' | 'setTree'>;

interface ReceiveLocalOptions extends WorkOptions {
  readonly scope: string;
  readonly sessions: () => readonly string[];
  readonly progress: VertexProgress;
  /** What the build may send; none when absent. */
  readonly limit?: Limit | undefined;
}

interface LocalReceiverDeps {
  readonly registry: SessionRegistry;
  readonly refs: RefManager;
  readonly states: LocalStates;
  readonly afterwork: Afterwork;
  /** Content digests are made while files arrive and handed there. */
  readonly trees?: ContentTrees;
  readonly space?: TransferSpace;
  /** Entries from which on a directory that comes as a whole is kept as an image where that can be; 256 by default. */
  readonly minImageEntries?: number | undefined;
}

/**
 * Receives directories of build clients. The state that a directory had at its last transfer is an immutable ref; a new transfer is compared with it, and
 * writes the difference, from the first one on, into a fresh layer on top of it, which becomes the next state, one layer of all that is there for whoever
 * packs it. So no build waits for another's transfer, a state that a build reads never changes, a transfer that is cut off leaves the old state, and when
 * nothing changed nothing is made: the old ref itself is the answer. A large first state is an image, where snapshots can be: one file, to which contents are appended as they come.
 */
export class LocalReceiver {
  readonly #registry: SessionRegistry;
  readonly #refs: RefManager;
  readonly #states: LocalStates;
  readonly #trees: ContentTrees | undefined;
  readonly #afterwork: Afterwork;
  readonly #space: TransferSpace | undefined;
  readonly #minImageEntries: number;
  /** Last states of directories that have begun anew. */
  readonly #old = new Set<string>();

  constructor({ registry, refs, states, afterwork, trees, space, minImageEntries }: LocalReceiverDeps) {
    this.#registry = registry;
    this.#afterwork = afterwork;
    this.#refs = refs;
    this.#states = states;
    this.#trees = trees;
    this.#space = space;
    this.#minImageEntries = minImageEntries ?? MIN_IMAGE_ENTRIES;
  }

  /** The directory as the client has it now. @throws CodedError not_found when the client does not offer it or is gone */
  async receive(source: LocalSource, options: ReceiveLocalOptions): Promise<ImmutableRef> {
    const { sessionId } = source;
    const ids = sessionId === undefined ? options.sessions : () => [sessionId];
    return await withAnySession(this.#registry, ids, (session) => this.#from(session, source, options), options);
  }

  async #from(session: Session, source: LocalSource, options: ReceiveLocalOptions): Promise<ImmutableRef> {
    return (await this.#into(session, source, true, options)) ?? (await this.#into(session, source, false, options))!;
  }

  /** Undefined where it came as an image that cannot be mounted after all. */
  async #into(
    session: Session,
    source: LocalSource,
    mayBeImage: boolean,
    options: ReceiveLocalOptions,
  ): Promise<ImmutableRef | undefined> {
    if (!session.supports(FileSync, FileSync.methods.diffCopy))
      throw new CodedError(
        'failed_precondition',
        `the build client offers no directories, but the build needs ${source.name}`,
        {
          hint: `give it one, e.g. --local ${source.name}=.`,
        },
      );
    const { scope } = options;
    const key = sharedKeyOf(source, session);
    const base = await this.#base(scope, key);
    const depth = base === undefined ? 0 : Number(base.getMetadata(DEPTH_KEY) ?? 0);
    const description = `local source for ${source.name}`;
    using taken = this.#space?.begin(options.owner);
    await using next = new NextState(async () => {
      const { signal, owner } = options;
      return await this.#refs.create(base, { signal, owner, description, recordType: 'source.local', scope });
    }, options);
    let received: ReceivedDirectory;
    try {
      await using stack = new AsyncDisposableStack();
      // Where contents are asked for, or nobody knows what was listed, the files themselves are looked at.
      const listing = source.differ === 'metadata' && base !== undefined ? listingOf(base) : undefined;
      const before = base === undefined || listing !== undefined ? undefined : stack.use(await base.mount(options));
      received = await this.#transfer(
        session,
        source,
        next,
        { ref: base, root: before?.root, listing, mayBeImage },
        taken,
        options,
      );
      const rest = stack.move();
      this.#afterwork.run(() => rest.disposeAsync());
    } catch (error) {
      return await giveUp(base, next.failure ?? error, options);
    }
    if (base !== undefined && received.progress.changes === 0) {
      if (received.listing !== undefined) setListing(base, received.listing);
      return base;
    }
    await base?.release();
    const state = await next.commit(received.isImage, options);
    if (state === undefined) return undefined;
    try {
      state.setMetadata(DEPTH_KEY, String(depth + 1));
      if (received.listing !== undefined) setListing(state, received.listing);
      if (received.tree !== undefined) this.#trees?.setTree(state, received.tree);
      this.#states.set(scope, key, state.id);
    } catch (error) {
      await state.release();
      throw error;
    }
    this.#afterwork.run(() => this.#forgetOld());
    return state;
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
    next: NextState,
    last: {
      readonly ref: ImmutableRef | undefined;
      readonly root: string | undefined;
      readonly listing: Uint8Array | undefined;
      readonly mayBeImage: boolean;
    },
    taken: ReturnType<TransferSpace['begin']> | undefined,
    { signal, progress, limit }: ReceiveLocalOptions,
  ): Promise<ReceivedDirectory> {
    const id = `transferring ${source.name}:`;
    const started = Date.now();
    const { name, includePatterns, excludePatterns, followPaths, differ } = source;
    const isFirst = last.ref === undefined;
    const directory = isFirst ? await next.begin() : last.root;
    const image = isFirst && last.mayBeImage ? await next.imageFile() : undefined;
    const args: ReceiveDirectoryArgs = {
      directory,
      image: image === undefined ? undefined : { path: image, minEntries: this.#minImageEntries },
      readonly: !isFirst,
      listing: last.listing,
      differ,
      tree: last.ref === undefined ? undefined : this.#trees?.treeOf(last.ref),
      empty: isFirst,
      limit,
      request: { name, includePatterns, excludePatterns, followPaths },
    };
    let bytes = 0;
    progress.status({ id, name: 'transferring', started, current: 0 });
    try {
      const received = await session.run<ReceivedDirectory>({ module: receiveModule, fn: 'receiveDirectory' }, args, {
        signal: taken === undefined ? signal : AbortSignal.any([signal, taken.signal]),
        onAsk: () => next.begin(),
        onMessage: (message) => {
          const report = message as ReceiveReport;
          bytes = report.progress.bytes;
          progress.status({ id, name: 'transferring', started, current: bytes });
          if (report.left !== undefined) taken?.report(report.progress, report.left);
        },
      });
      bytes = received.progress.bytes;
      return received;
    } finally {
      progress.status({ id, name: 'transferring', started, current: bytes, completed: Date.now() });
    }
  }
}

function listingOf(state: ImmutableRef): Uint8Array | undefined {
  const text = state.getMetadata(LISTING_KEY);
  return text === undefined ? undefined : Buffer.from(text, 'base64');
}

function setListing(state: ImmutableRef, listing: Uint8Array): void {
  const text = Buffer.from(listing).toString('base64');
  if (state.getMetadata(LISTING_KEY) !== text) state.setMetadata(LISTING_KEY, text);
}

/** The next state of a directory: there is one only once something is to be written. */
class NextState implements AsyncDisposable {
  readonly #create: () => Promise<MutableRef>;
  readonly #options: WorkOptions;
  #ref: MutableRef | undefined;
  #mounted: Mounted | undefined;
  #begun: Promise<string> | undefined;
  /** Why there is no place to write: as it was here, before it went through the thread that asked. */
  failure: unknown;

  constructor(create: () => Promise<MutableRef>, options: WorkOptions) {
    this.#create = create;
    this.#options = options;
  }

  /** The directory to write to; like the last state. */
  begin(): Promise<string> {
    this.#begun ??= this.#begin().catch((error: unknown) => {
      this.failure = error;
      throw error;
    });
    return this.#begun;
  }

  async #begin(): Promise<string> {
    this.#ref = await this.#create();
    this.#mounted = await this.#ref.mount(this.#options);
    return this.#mounted.root;
  }

  /** Where an image of it may be written instead of files; once it has begun. */
  imageFile(): Promise<string | undefined> {
    return this.#ref!.imageFile(this.#options);
  }

  /** Undefined where it is an image that cannot be mounted. */
  async commit(isImage: boolean, options: WorkOptions): Promise<ImmutableRef | undefined> {
    await this.#mounted?.[Symbol.asyncDispose]();
    if (isImage && !(await this.#ref!.useImage(options))) return undefined;
    const state = await this.#ref!.commit({ ...options, whole: true });
    this.#ref = undefined;
    return state;
  }

  /** Drops what was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#begun?.catch(() => {});
    await this.#mounted?.[Symbol.asyncDispose]();
    await this.#ref?.release();
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
