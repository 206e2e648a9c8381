import type { ChownOpt, FileAction, FileCopy, UserOpt } from '../../../llb/index.ts';
import { openRoot, type TaskContext } from '../../../sys/index.ts';
import {
  archiveSource,
  type CopyWork,
  checkDestParent,
  copyAlong,
  copyPath,
  copySources,
  type LargeCopy,
  unpackTarget,
} from './copy-action.ts';
import { type Ids, lookUpOwner, type OwnerPart } from './owner.ts';
import { cleanPath, named, type Written } from './paths.ts';
import { mkdir, mkfile, rm, symlink } from './simple-actions.ts';

export interface FileTaskArgs {
  readonly body: FileAction['body'];
  /** Mounted roots: what is changed, what is copied from, and where names are looked up. */
  readonly target: string;
  readonly source?: string;
  readonly userRoot?: string;
  readonly groupRoot?: string;
  /** Only these of the copy's sources; all when left out. */
  readonly paths?: readonly string[];
}

/** Worker task: one action of a file op. Posts warnings as text, and a {@link LargeCopy} for a second thread to help with. Errors name the path that the action names. */
export function fileAction(args: FileTaskArgs, context: TaskContext): void {
  named('lstat', cleanPath(pathOf(args.body)), () => act(args, context));
}

function pathOf(body: FileAction['body']): string {
  switch (body.kind) {
    case 'mkdir':
      return body.mkdir.path;
    case 'mkfile':
      return body.mkfile.path;
    case 'symlink':
      return body.symlink.newPath;
    case 'rm':
      return body.rm.path;
    case 'copy':
      return body.copy.dest;
  }
}

function act(args: FileTaskArgs, context: TaskContext): void {
  const { body } = args;
  using root = openRoot(args.target);
  switch (body.kind) {
    case 'mkdir':
      mkdir(root, body.mkdir, writtenOf(args, body.mkdir, context));
      return;
    case 'mkfile':
      mkfile(root, body.mkfile, writtenOf(args, body.mkfile, context));
      return;
    case 'symlink':
      symlink(root, body.symlink, writtenOf(args, body.symlink, context));
      return;
    case 'rm':
      rm(root, body.rm);
      return;
    case 'copy': {
      if (args.source === undefined) throw new Error('copy without a source');
      using source = openRoot(args.source);
      checkDestParent(root, body.copy);
      const written = writtenOf(args, body.copy, context);
      const work: CopyWork = {
        throwIfAborted: () => context.throwIfAborted(),
        onLarge: (copy) => context.post(copy),
      };
      for (const path of args.paths ?? copySources(source, body.copy))
        copyPath(source, path, root, body.copy, written, work);
    }
  }
}

/** Worker task: helps with a copy that another worker has begun. */
export function helpCopying(
  { source, target, copy }: { readonly source: string; readonly target: string; readonly copy: LargeCopy },
  context: TaskContext,
): void {
  using from = openRoot(source);
  using to = openRoot(target);
  copyAlong(from, to, copy, () => context.throwIfAborted());
}

/** One path that a copy takes, and the regular file there that may be an archive, as a path inside the source. */
interface UnpackCandidate {
  readonly path: string;
  readonly archive?: string;
}

/** Worker task: what a copy that unpacks archives takes. */
export function unpackCandidates(args: { readonly source: string; readonly copy: FileCopy }): UnpackCandidate[] {
  using source = openRoot(args.source);
  return copySources(source, args.copy).map((path) => {
    const archive = archiveSource(source, path);
    return { path, ...(archive === undefined ? {} : { archive }) };
  });
}

/** Worker task: makes the directory that archives are unpacked into; its path inside the target, and the owner they get. */
export function prepareUnpack(
  args: FileTaskArgs,
  context: TaskContext,
): { readonly directory: string; readonly owner?: Ids } {
  if (args.body.kind !== 'copy') throw new Error('only a copy unpacks');
  using root = openRoot(args.target);
  checkDestParent(root, args.body.copy);
  const written = writtenOf(args, args.body.copy, context);
  const directory = unpackTarget(root, args.body.copy, written);
  return { directory, ...(written.owner ? { owner: written.owner } : {}) };
}

function writtenOf(
  args: FileTaskArgs,
  action: { readonly owner?: ChownOpt; readonly timestamp: bigint },
  context: TaskContext,
): Written {
  const time = action.timestamp === -1n ? undefined : action.timestamp;
  const { owner } = action;
  if (!owner?.user && !owner?.group) return { owner: undefined, time };
  using userRoot = args.userRoot === undefined ? undefined : openRoot(args.userRoot);
  using groupRoot = args.groupRoot === undefined ? undefined : openRoot(args.groupRoot);
  const part = (user: UserOpt | undefined, root: typeof userRoot): OwnerPart | undefined => {
    if (!user) return undefined;
    if ('id' in user) return user;
    if (!root) throw new Error('name without a file system to look it up in');
    return { name: user.name, root };
  };
  return {
    owner: lookUpOwner(part(owner.user, userRoot), part(owner.group, groupRoot), (what) => context.post(what)),
    time,
  };
}
