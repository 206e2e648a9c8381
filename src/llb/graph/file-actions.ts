import { posix } from 'node:path';
import type { ChownOpt, FileAction, FileCopy, UserOpt } from '../op.ts';
import {
  type BuiltStep,
  envelope,
  type FileSystem,
  type GraphNode,
  InputList,
  type MarshalContext,
  type Output,
} from './node.ts';
import { type StepOptions, stepMetadata } from './options.ts';

/** `user[:group]` by name or number, or both ids. Names are looked up in the file system that is written to. */
export type Owner = string | { readonly uid: number; readonly gid: number };

interface Written {
  readonly owner?: Owner;
  /** Nanoseconds since the epoch; the time of the build when left out. */
  readonly timestamp?: bigint;
}

export interface CopyOptions extends Written {
  /** A number, or chmod(1)'s symbolic form such as `u+x,go-w`. The source's when left out. */
  readonly mode?: number | string;
  readonly followSymlink?: boolean;
  /** Copies what is in a directory, not the directory. */
  readonly dirCopyContents?: boolean;
  /** Extracts the source if it is an archive. */
  readonly attemptUnpack?: boolean;
  readonly createDestPath?: boolean;
  readonly allowWildcard?: boolean;
  readonly allowEmptyWildcard?: boolean;
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  readonly requiredPaths?: readonly string[];
  readonly alwaysReplaceExistingDestPaths?: boolean;
}

interface Step {
  readonly source?: FileSystem;
  body(dir: string, base: number): FileAction['body'];
  readonly caps?: readonly string[];
}

/** File operations one after the other; immutable, as `State`. Relative paths start at the state's working directory. */
export class FileActions {
  readonly steps: readonly Step[];

  constructor(steps: readonly Step[] = []) {
    this.steps = steps;
  }

  mkdir(path: string, mode: number, options: Written & { readonly makeParents?: boolean } = {}): FileActions {
    return this.#add({
      body: (dir, base) => ({
        kind: 'mkdir',
        mkdir: {
          path: absolute(dir, path, false),
          mode: mode & 0o777,
          makeParents: options.makeParents ?? false,
          ...written(options, base),
        },
      }),
    });
  }

  mkfile(path: string, mode: number, data: Uint8Array, options: Written = {}): FileActions {
    return this.#add({
      body: (dir, base) => ({
        kind: 'mkfile',
        mkfile: { path: absolute(dir, path, false), mode: mode & 0o777, data, ...written(options, base) },
      }),
    });
  }

  rm(path: string, options: { readonly allowNotFound?: boolean; readonly allowWildcard?: boolean } = {}): FileActions {
    return this.#add({
      body: (dir) => ({
        kind: 'rm',
        rm: {
          path: absolute(dir, path, false),
          allowNotFound: options.allowNotFound ?? false,
          allowWildcard: options.allowWildcard ?? false,
        },
      }),
    });
  }

  symlink(oldPath: string, newPath: string, options: Written = {}): FileActions {
    return this.#add({
      body: (_, base) => ({ kind: 'symlink', symlink: { oldPath, newPath, ...written(options, base) } }),
      caps: ['file.symlink.create'],
    });
  }

  /** Copies from another file system; `src` is relative to that state's working directory. */
  copy(source: FileSystem, src: string, dest: string, options: CopyOptions = {}): FileActions {
    const caps: string[] = [];
    if (options.includePatterns?.length || options.excludePatterns?.length)
      caps.push('file.copy.includeexcludepatterns');
    if (options.requiredPaths?.length) caps.push('file.copy.requiredpaths');
    if (options.alwaysReplaceExistingDestPaths) caps.push('file.copy.alwaysreplaceexistingdestpaths');
    return this.#add({
      source,
      caps,
      body: (dir, base) => ({
        kind: 'copy',
        copy: {
          src: posix.join(posix.isAbsolute(src) ? '/' : source.values.dir, cleanPath(src)),
          dest: absolute(dir, dest, true),
          ...copyFlags(options),
          ...written(options, base),
        },
      }),
    });
  }

  #add(step: Step): FileActions {
    return new FileActions([...this.steps, step]);
  }
}

function copyFlags(options: CopyOptions): Omit<FileCopy, 'src' | 'dest' | 'owner' | 'timestamp'> {
  const { mode } = options;
  return {
    mode: typeof mode === 'string' ? 0 : (mode ?? -1),
    modeStr: typeof mode === 'string' ? mode : '',
    followSymlink: options.followSymlink ?? false,
    dirCopyContents: options.dirCopyContents ?? false,
    attemptUnpack: options.attemptUnpack ?? false,
    createDestPath: options.createDestPath ?? false,
    allowWildcard: options.allowWildcard ?? false,
    allowEmptyWildcard: options.allowEmptyWildcard ?? false,
    includePatterns: options.includePatterns ?? [],
    excludePatterns: options.excludePatterns ?? [],
    alwaysReplaceExistingDestPaths: options.alwaysReplaceExistingDestPaths ?? false,
    requiredPaths: options.requiredPaths ?? [],
  };
}

export class FileNode implements GraphNode {
  readonly options: StepOptions;
  readonly #state: FileSystem;
  readonly #actions: FileActions;

  constructor(state: FileSystem, actions: FileActions, options: StepOptions) {
    this.#state = state;
    this.#actions = actions;
    this.options = options;
  }

  inputs(): readonly Output[] {
    const outputs = [this.#state, ...this.#actions.steps.map((step) => step.source)].map((state) => state?.output);
    return outputs.filter((output) => output !== undefined);
  }

  build(context: MarshalContext): BuiltStep {
    const inputs = new InputList(context);
    const { steps } = this.#actions;
    const base = inputs.add(this.#state.output);
    const sources = steps.map((step) => inputs.add(step.source?.output));
    const count = inputs.list.length;
    const actions = steps.map(
      (step, index): FileAction => ({
        input: index === 0 ? base : count + index - 1,
        secondaryInput: sources[index]!,
        output: index === steps.length - 1 ? 0 : -1,
        body: step.body(this.#state.values.dir, base),
      }),
    );
    return {
      op: {
        inputs: inputs.list,
        // A file op does the same on every platform.
        constraints: envelope(context, this.options).constraints,
        body: { kind: 'file', file: { actions } },
      },
      metadata: stepMetadata(this.options, ['file.base', ...steps.flatMap((step) => step.caps ?? [])]),
    };
  }
}

function written(options: Written, base: number): { owner?: ChownOpt; timestamp: bigint } {
  const owner = options.owner === undefined ? undefined : parseOwner(options.owner, base);
  return { ...(owner ? { owner } : {}), timestamp: options.timestamp ?? -1n };
}

function parseOwner(owner: Owner, input: number): ChownOpt {
  if (typeof owner !== 'string') return { user: { id: owner.uid }, group: { id: owner.gid } };
  const colon = owner.indexOf(':');
  const part = (text: string): UserOpt => {
    if (text === 'root') return { id: 0 };
    return /^[+-]?\d+$/.test(text) && Math.abs(Number(text)) < 2 ** 31 ? { id: Number(text) } : { name: text, input };
  };
  const user = part(colon < 0 ? owner : owner.slice(0, colon));
  const group = colon < 0 ? '' : owner.slice(colon + 1);
  return group === '' ? { user } : { user, group: part(group) };
}

function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

/** The path from the root; with `keepSlash` a trailing `/` or `/.` stays, since copy tells them apart. */
function absolute(dir: string, path: string, keepSlash: boolean): string {
  const clean = cleanPath(path);
  const result = posix.isAbsolute(clean) ? clean : cleanPath(posix.join('/', dir, clean));
  if (!keepSlash) return result;
  if (path.endsWith('/') && !result.endsWith('/')) return `${result}/`;
  if (path.endsWith('/.')) return result === '/' ? '/.' : `${result}/.`;
  return result;
}
