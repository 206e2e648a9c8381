import { posix } from 'node:path';
import { invalidArgument, newId, parseDigest } from '../base/index.ts';
import { http, type Output, rawStep, type StepOptions } from '../llb/index.ts';
import type { DispatchContext } from './dispatch-context.ts';
import { type FileStep, fileVertex, type Owner, parseOwner } from './file-op.ts';
import { type GitRef, parseGitRef } from './git-ref.ts';
import { addHistory } from './image-config.ts';
import type { CopyCommand } from './instructions.ts';
import { LINT_RULES } from './lint-rules.ts';
import { placeIn } from './location.ts';
import { COMMAND, displayText, stepName } from './names.ts';
import { cleanPath, joinPath } from './paths.ts';
import { gitSource, httpFilename } from './sources.ts';
import type { PlannedCommand, StageState } from './stage-state.ts';
import { systemPath } from './system-path.ts';
import { cut, quote } from './text.ts';

interface Chmod {
  readonly mode: number;
  readonly modeStr: string;
}

/** COPY and ADD */
export function dispatchCopy(
  state: StageState,
  command: CopyCommand,
  planned: PlannedCommand,
  context: DispatchContext,
): void {
  const [from] = planned.sources;
  if (from !== undefined && !from.dispatched)
    throw invalidArgument(
      `cannot copy from stage ${quote(command.from)}, it needs to be defined before current stage ${quote(state.displayName)}`,
    );
  const platform = state.platform ?? context.targetPlatform;
  const owner = ownerOf(command);
  const chmod = chmodOf(command.chmod);
  checkChecksum(command);
  const text = displayText(command.code, state.env, { escape: context.escape });
  const firstStep = state.step;
  const nameOptions = { onBuild: planned.onBuild, multiPlatform: context.options.multiPlatform };
  const name = stepName(state, text, platform, nameOptions);

  const plan: CopyPlan = {
    command,
    context,
    name,
    os: platform.os,
    destination: destinationOf(state, systemPath(command.sources.destination, platform.os)),
    common: { ...chmod, createDestPath: true, excludePatterns: command.excludes },
    owner,
    source: from === undefined ? context.buildContext : from.output,
    checked: from === undefined,
  };
  const steps = [
    ...command.sources.paths.map((path) => pathStep(path, plan)),
    ...command.sources.files.map((file) => fileStep(file, plan)),
  ];
  const notes: StepOptions = {
    name,
    locations: placeIn(context.source, command.location),
    ignoreCache: state.ignoreCache,
  };
  if (command.link && command.chmod === '' && context.llbCaps.has('mergeop')) {
    const group = { id: newId(), name };
    const layer = fileVertex(undefined, steps, { ...notes, progressGroup: { ...group, weak: true } });
    state.step = firstStep;
    const linkName = stepName(state, `LINK ${text}`, platform, nameOptions);
    const linkNotes: StepOptions = { ...notes, name: linkName, progressGroup: { ...group, weak: false } };
    state.output = mergeVertex(state.output, layer, linkNotes);
  } else state.output = fileVertex(state.output, steps, notes);

  for (const given of command.sources.paths) {
    const remote = isHttp(given) || remoteGit(given) !== undefined;
    const path = remote ? given : systemPath(given, platform.os);
    if (from !== undefined) from.paths.add(posix.resolve('/', path));
    else if (command.kind === 'copy' || !isHttp(path)) state.contextPaths.add(posix.resolve('/', path));
  }
  addHistory(state.image, `${historyText(command)} # buildkit`, true, context.epoch);
}

interface CopyPlan {
  readonly command: CopyCommand;
  readonly context: DispatchContext;
  readonly name: string;
  /** The system whose paths the instruction names. */
  readonly os: string;
  readonly destination: string;
  readonly common: Chmod & { readonly createDestPath: boolean; readonly excludePatterns: readonly string[] };
  readonly owner: Owner | undefined;
  /** The build context, or the file system that --from names. */
  readonly source: Output | undefined;
  /** The ignore file applies. */
  readonly checked: boolean;
}

/** Absolute, with what a slash or dot at the end says kept. */
function destinationOf(state: StageState, path: string): string {
  const text = path === '' || path === '.' ? './' : path;
  const normal = posix.resolve('/', state.directory, text);
  if (text.endsWith('/')) return normal === '/' ? normal : `${normal}/`;
  if (text.endsWith('/.')) return normal === '/' ? '/.' : `${normal}/.`;
  return normal;
}

function ownerOf(command: CopyCommand): Owner | undefined {
  if (command.chown === '') return undefined;
  const owner = parseOwner(command.chown);
  const byName = [owner.user, owner.group].some((id) => typeof id === 'string' && id !== '');
  if (command.link && byName)
    throw invalidArgument(
      `--chown=${command.chown}: user and group names can't be resolved when used with --link, use numeric uid[:gid] instead`,
    );
  return owner;
}

/** A mode as chmod(1) takes it: clauses of classes and actions, each with what to set or where to copy from. */
const SYMBOLIC_MODE = /^[ugoa]*(?:[-+=][rwxXstugo]*)+(?:,[ugoa]*(?:[-+=][rwxXstugo]*)+)*$/;
const MAX_MODE_LENGTH = 1000;

function chmodOf(text: string): Chmod {
  if (text === '') return { mode: -1, modeStr: '' };
  if (/^[0-7]+$/.test(text) && Number.parseInt(text, 8) <= 0o7777)
    return { mode: Number.parseInt(text, 8), modeStr: '' };
  if (/^[0-9]/.test(text) || text.length > MAX_MODE_LENGTH)
    throw invalidArgument(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
  if (!SYMBOLIC_MODE.test(text))
    throw invalidArgument(`invalid chmod parameter: '${text}': invalid syntax`, { hint: 'Write 0755 or u+x,go-w.' });
  return { mode: 0, modeStr: text };
}

function checkChecksum(command: CopyCommand): void {
  if (command.checksum === '') return;
  if (command.sources.paths.length !== 1) throw invalidArgument("checksum can't be specified for multiple sources");
  const [path] = command.sources.paths;
  if (!isHttp(path!) && remoteGit(path!) === undefined)
    throw invalidArgument('checksum requires HTTP(S) or Git sources');
}

function isHttp(path: string): boolean {
  return /^https?:\/\//.test(path);
}

/** What an ADD of one remote source takes its files from; undefined for anything else. */
export function remoteSource(command: CopyCommand): Output | undefined {
  const [path, second] = command.sources.paths;
  if (path === undefined || second !== undefined || command.sources.files.length > 0) return undefined;
  const git = remoteGit(path);
  if (git !== undefined) return gitOutput(git, { command, name: '' });
  return isHttp(path) ? httpOutput(path, command, {}) : undefined;
}

function httpOutput(url: string, command: CopyCommand, step: StepOptions): Output {
  const checksum = command.checksum === '' ? {} : { checksum: parseDigest(command.checksum) };
  return http(url, { filename: httpFilename(url), ...checksum, ...step }).output!;
}

/** A git source that is no local path. */
function remoteGit(path: string): GitRef | undefined {
  const git = parseGitRef(path);
  return git === undefined || git.maybeLocal ? undefined : git;
}

function pathStep(path: string, plan: CopyPlan): FileStep {
  const { command } = plan;
  const git = remoteGit(path);
  if (git !== undefined) {
    if (command.kind === 'copy') throw invalidArgument("source can't be a git ref for COPY");
    return copyStep(plan, gitOutput(git, plan), { src: '/' });
  }
  if (isHttp(path)) {
    if (command.kind === 'copy') throw invalidArgument("source can't be a URL for COPY");
    const from = httpOutput(path, command, { name: plan.name, description: { [COMMAND]: '' } });
    return copyStep(plan, from, {
      src: joinPath('/', httpFilename(path)),
      attemptUnpack: command.unpack ?? false,
    });
  }
  if (plan.checked) checkIgnored(path, plan);
  return localStep(systemPath(path, plan.os), plan);
}

function copyStep(
  plan: CopyPlan,
  from: Output | undefined,
  copy: Partial<Extract<FileStep, { kind: 'copy' }>['copy']> & { readonly src: string },
): FileStep {
  return {
    kind: 'copy',
    from,
    owner: plan.owner,
    copy: { ...plan.common, dest: plan.destination, ...copy },
  };
}

function localStep(path: string, plan: CopyPlan): FileStep {
  const { command } = plan;
  let root = path;
  let includePatterns: string[] = [];
  let requiredPaths: string[] = [];
  if (command.parents) {
    // `/./` parts the path that is left out from the one that is kept.
    const [parent, rest] = cut(path, '/./');
    root = rest === undefined ? '/' : parent;
    const pattern = posix.resolve('/', rest ?? path);
    includePatterns = [pattern.slice(1)];
    if (!hasWildcard(root) && !hasWildcard(pattern)) requiredPaths = [posix.resolve('/', joinPath(root, pattern))];
  }
  return copyStep(plan, plan.source, {
    src: posix.resolve('/', root),
    followSymlink: true,
    dirCopyContents: true,
    allowWildcard: true,
    allowEmptyWildcard: true,
    includePatterns,
    requiredPaths,
    attemptUnpack: command.unpack ?? command.kind === 'add',
  });
}

function fileStep(file: CopyCommand['sources']['files'][number], plan: CopyPlan): FileStep {
  const path = systemPath(file.name, plan.os);
  const from = fileVertex(undefined, [{ kind: 'mkfile', path, mode: 0o644, data: file.data }], {
    name: '[internal] preparing inline document',
  });
  return copyStep(plan, from, { src: joinPath('/', path) });
}

function gitOutput(git: GitRef, { command, name }: Pick<CopyPlan, 'command' | 'name'>): Output {
  const { keepGitDir } = command;
  if (keepGitDir !== undefined && git.keepGitDir !== undefined && keepGitDir !== git.keepGitDir)
    throw invalidArgument('inconsistent keep-git-dir configuration');
  if (command.checksum !== '' && git.checksum !== '' && command.checksum !== git.checksum)
    throw invalidArgument(`checksum mismatch ${quote(command.checksum)} != ${quote(git.checksum)}`);
  const options = {
    keepGitDir: git.keepGitDir ?? keepGitDir ?? false,
    checksum: git.checksum || command.checksum,
    mtime: '',
  };
  return gitSource(git, options, { name });
}

function mergeVertex(base: Output | undefined, layer: Output, options: StepOptions): Output {
  if (base === undefined) return layer;
  return rawStep(
    {
      inputs: [base, layer],
      body: (indexOf) => ({ kind: 'merge', merge: { inputs: [indexOf(base), indexOf(layer)] } }),
      caps: ['mergeop'],
      anyPlatform: true,
    },
    options,
  );
}

function hasWildcard(path: string): boolean {
  for (let i = 0; i < path.length; i += 1) {
    if ('*?['.includes(path[i]!)) return true;
    if (path[i] === '\\') i += 1;
  }
  return false;
}

/** Warns when the ignore file keeps the source away for sure: with `!` patterns in it, nobody can tell. */
function checkIgnored(path: string, { command, context }: CopyPlan): void {
  const { ignore } = context;
  if (ignore === undefined || ignore.hasNegated) return;
  const source = cleanPath(path);
  const isRoot = source === '.' || source === '/';
  if (isRoot && !context.ignorePatterns.some((pattern) => ['*', '**', '**/*'].includes(pattern))) return;
  const relative = source.replace(/^\//, '');
  if (!ignore.matches(source) && !(relative !== '' && ignore.matches(relative))) return;
  context.lint.run(
    LINT_RULES.copyIgnoredFile,
    command.location,
    `Attempting to ${command.kind === 'add' ? 'Add' : 'Copy'} file ${quote(source)} that is excluded by .dockerignore`,
  );
}

function historyText({ kind, parents, chown, chmod, sources }: CopyCommand): string {
  return [
    kind.toUpperCase(),
    ...(parents ? ['--parents'] : []),
    ...(chown === '' ? [] : [`--chown=${chown}`]),
    ...(chmod === '' ? [] : [`--chmod=${chmod}`]),
    ...sources.paths,
    ...sources.files.map(({ name }) => `<<${name}`),
    sources.destination,
  ].join(' ');
}
