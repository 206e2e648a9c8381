import { join } from 'node:path';
import { type AbortOptions, annotate, CodedError, cancelledError, invalidArgument } from '../../../base/index.ts';
import type { ContentHasher } from '../../../cache/contenthash/index.ts';
import type { ImmutableRef, Mounted, MutableRef, RefManager, RefOptions } from '../../../cache/ports.ts';
import type { ChownOpt, FileAction, FileCopy, FileOp } from '../../../llb/index.ts';
import { extractArchive, type UnpackLimits, unpackLimitsFor } from '../../../oci/layers/index.ts';
import type { Op, OpContext, Result } from '../../../solver/ports.ts';
import { siblingModule, type Task, type TaskOptions, tasksOf, type WorkerPool } from '../../../sys/index.ts';
import { fileCacheMap, knownAtOnce, knownByWorker } from '../cache-map/index.ts';
import { refOptionsOf } from '../ref-options.ts';
import type { LargeCopy } from './copy-action.ts';
import { CopyClaims } from './copy-claims.ts';
import type { FileTaskArgs } from './file-task.ts';

interface FileOpOptions {
  readonly refs: RefManager;
  readonly hasher: ContentHasher;
  /** The bulk pool. */
  readonly pool: WorkerPool;
  readonly resultOf: (ref: ImmutableRef) => Result<ImmutableRef>;
  /** For archives that are unpacked in two steps. */
  readonly tempDirectory: string;
  readonly unpackLimits?: UnpackLimits | undefined;
  /** Of the vertex, for descriptions of refs. */
  readonly name: string;
}

const task = tasksOf<typeof import('./file-task.ts')>(siblingModule(import.meta.url, './file-task'));
const makeKeys = tasksOf<typeof import('../cache-map/file-task.ts')>(
  siblingModule(import.meta.url, '../cache-map/file-task'),
)('makeFileKeys');
/** Of files in an op: more of them a worker hashes. */
const LONG_BYTES = 512 * 1024;

/** The file op: copies, files, directories, removals, symlinks, without a container. A result for each action with an output. */
export function fileOp(file: FileOp, inputCount: number, options: FileOpOptions): Op<ImmutableRef> {
  const { pool, hasher } = options;
  const keys = isLong(file)
    ? knownByWorker((work) => pool.run(makeKeys, { file, inputCount }, work), hasher)
    : knownAtOnce(() => fileCacheMap(file, inputCount), hasher);
  return {
    ...keys,
    exec: async (inputs, context) => {
      await using run = new FileRun(
        file,
        inputs.map((input) => input.value),
        context,
        options,
      );
      try {
        return await run.all();
      } catch (error) {
        await run.leave(inputs);
        throw error;
      }
    },
  };
}

/** Whether files are part of it that take their time to be hashed. */
function isLong({ actions }: FileOp): boolean {
  let bytes = 0;
  for (const { body } of actions) if (body.kind === 'mkfile') bytes += body.mkfile.data.length;
  return bytes > LONG_BYTES;
}

/** Something being written, mounted as long as actions go on with it. */
interface Work {
  readonly ref: MutableRef;
  readonly mounted: Mounted;
}

class FileRun implements AsyncDisposable {
  readonly #file: FileOp;
  readonly #inputs: readonly ImmutableRef[];
  readonly #context: OpContext;
  readonly #options: FileOpOptions;
  readonly #refOptions: RefOptions;
  /** By action: its result, still writable or committed. */
  readonly #work = new Map<number, Work>();
  readonly #committed = new Map<number, ImmutableRef>();
  /** The action under way. */
  #at = 0;

  constructor(file: FileOp, inputs: readonly ImmutableRef[], context: OpContext, options: FileOpOptions) {
    this.#file = file;
    this.#inputs = inputs;
    this.#context = context;
    this.#options = options;
    this.#refOptions = refOptionsOf(context);
  }

  async all(): Promise<readonly Result<ImmutableRef>[]> {
    const { actions } = this.#file;
    for (const [index, action] of actions.entries()) {
      this.#at = index;
      await this.#run(index, action);
    }
    const outputs: (ImmutableRef | undefined)[] = [];
    for (const [index, action] of actions.entries())
      if (action.output >= 0) outputs[action.output] = await this.#commit(index);
    const refs = Array.from(outputs).filter((ref) => ref !== undefined);
    if (refs.length < outputs.length) throw invalidArgument('file op with an output that no action makes');
    return refs.map((ref) => this.#options.resultOf(ref.clone()));
  }

  /** Hands what the action that failed had, and has written, to those who look into failures. */
  async leave(inputs: readonly Result<ImmutableRef>[]): Promise<void> {
    const { leave, signal } = this.#context;
    if (leave === undefined || signal.aborted) return;
    const mounts = new Array<Result<ImmutableRef> | undefined>(this.#file.actions.length).fill(undefined);
    const work = this.#work.get(this.#at);
    // What cannot be kept is missing; the action's own failure counts.
    const ref = work && (await this.#finish(work, { passing: true }).catch(() => undefined));
    const made = ref === undefined ? undefined : this.#options.resultOf(ref);
    mounts[this.#at] = made;
    leave({ subject: { kind: 'action', index: this.#at }, inputs, mounts });
    await made?.release();
  }

  async #run(index: number, action: FileAction): Promise<void> {
    const { signal, owner: forWhom, scope } = this.#context;
    signal.throwIfAborted();
    const target = await this.#target(index, action);
    this.#work.set(index, target);
    await using stack = new AsyncDisposableStack();
    const mount = async (input: number): Promise<string> => {
      let ref = await this.#readable(input);
      if (ref === undefined) {
        ref = await this.#options.refs.empty({ signal, owner: forWhom, scope });
        stack.defer(ref.release.bind(ref));
      }
      return stack.use(await ref.mount(this.#refOptions)).root;
    };
    const { body } = action;
    const owner = ownerOf(body);
    const args: FileTaskArgs = {
      body,
      target: target.mounted.root,
      ...(body.kind === 'copy' ? { source: await mount(action.secondaryInput) } : {}),
      ...(owner?.user && 'name' in owner.user ? { userRoot: await mount(owner.user.input) } : {}),
      ...(owner?.group && 'name' in owner.group ? { groupRoot: await mount(owner.group.input) } : {}),
    };
    if (body.kind === 'copy' && body.copy.attemptUnpack) await this.#unpack(args, body.copy);
    else await this.#action(args);
  }

  /** Archives are unpacked, all else is copied. */
  async #unpack(args: FileTaskArgs, copy: FileCopy): Promise<void> {
    const source = args.source!;
    const candidates = await this.#do(task('unpackCandidates'), { source, copy });
    for (const { path, archive } of candidates) {
      if (archive !== undefined && (await this.#extract(path, join(source, archive), args))) continue;
      await this.#action({ ...args, paths: [path] });
    }
  }

  /** False when the file is no archive. */
  async #extract(path: string, archive: string, args: FileTaskArgs): Promise<boolean> {
    const { pool, tempDirectory, unpackLimits } = this.#options;
    const limits = unpackLimitsFor(this.#context.limits(), unpackLimits);
    const { signal, owner } = this.#context;
    const target = async () => {
      const { directory, owner: ids } = await this.#do(task('prepareUnpack'), args);
      return { directory: join(args.target, directory), owner: ids };
    };
    try {
      return await extractArchive(pool, { archive, target, tempDirectory, limits, signal, owner });
    } catch (error) {
      signal.throwIfAborted();
      throw annotate(error, path.replace(/^\//, ''));
    }
  }

  /** What the action writes to: the action before goes on where nobody else needs its result, else a new ref on top. */
  async #target(index: number, { input }: FileAction): Promise<Work> {
    const before = input - this.#inputs.length;
    const going = this.#work.get(before);
    if (before >= 0 && going && !this.#neededElsewhere(before, index)) {
      this.#work.delete(before);
      return going;
    }
    const parent = await this.#readable(input);
    const ref = await this.#options.refs.create(parent, {
      ...this.#refOptions,
      description: this.#options.name,
      scope: this.#context.scope,
    });
    try {
      return { ref, mounted: await ref.mount(this.#context) };
    } catch (error) {
      await ref.release();
      throw error;
    }
  }

  #neededElsewhere(action: number, user: number): boolean {
    const id = action + this.#inputs.length;
    if (this.#file.actions[action]!.output >= 0) return true;
    return this.#file.actions.some(({ input, secondaryInput, body }, index) => {
      const owner = ownerOf(body);
      const named = [owner?.user, owner?.group].some((part) => part && 'name' in part && part.input === id);
      return (input === id && index !== user) || secondaryInput === id || named;
    });
  }

  /** An input, or the result of an action; undefined for scratch. */
  async #readable(input: number): Promise<ImmutableRef | undefined> {
    if (input < 0) return undefined;
    return this.#inputs[input] ?? (await this.#commit(input - this.#inputs.length));
  }

  async #commit(action: number): Promise<ImmutableRef> {
    const done = this.#committed.get(action);
    if (done) return done;
    const work = this.#work.get(action);
    if (!work) throw new CodedError('invalid_argument', `result of file action ${action} is not there`);
    const ref = await this.#finish(work);
    this.#work.delete(action);
    this.#committed.set(action, ref);
    return ref;
  }

  async #finish({ mounted, ref }: Work, how: { readonly passing?: boolean } = {}): Promise<ImmutableRef> {
    const { signal, owner } = this.#context;
    await mounted[Symbol.asyncDispose]();
    return await ref.commit({ signal, owner, ...how });
  }

  /** A copy that is large gets a second thread as soon as the pool has one. The first failure ends both. */
  async #action(args: FileTaskArgs): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, stop.signal]);
    const helpers: Promise<void>[] = [];
    const onMessage = (message: unknown) => {
      if (typeof message === 'string') this.#warn(message);
      else helpers.push(this.#help(args, message as LargeCopy, { signal, stop }));
    };
    try {
      await this.#do(task('fileAction'), args, { signal, onMessage });
    } finally {
      // One that has not begun is too late.
      stop.abort(cancelledError());
      await Promise.all(helpers);
    }
  }

  async #help(
    { source, target }: FileTaskArgs,
    copy: LargeCopy,
    { signal, stop }: AbortOptions & { readonly stop: AbortController },
  ): Promise<void> {
    try {
      await this.#do(task('helpCopying'), { source: source!, target, copy }, { signal });
    } catch (error) {
      stop.abort(error);
    } finally {
      CopyClaims.endSecond(copy.claimed);
    }
  }

  #do<A, R>(task: Task<A, R>, args: NoInfer<A>, options: Partial<TaskOptions> = {}): Promise<R> {
    const { signal, owner } = this.#context;
    const onMessage = (warning: unknown) => this.#warn(String(warning));
    return this.#options.pool.run(task, args, { signal, owner, onMessage, ...options });
  }

  #warn(text: string): void {
    this.#context.progress.warn({ level: 1, short: text });
  }

  /** Drops what was not handed out. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    for (const { ref, mounted } of this.#work.values()) {
      stack.defer(() => ref.release());
      stack.use(mounted);
    }
    for (const ref of this.#committed.values()) stack.defer(() => ref.release());
  }
}

function ownerOf(body: FileAction['body']): ChownOpt | undefined {
  switch (body.kind) {
    case 'copy':
      return body.copy.owner;
    case 'mkfile':
      return body.mkfile.owner;
    case 'mkdir':
      return body.mkdir.owner;
    case 'symlink':
      return body.symlink.owner;
    case 'rm':
      return undefined;
  }
}
