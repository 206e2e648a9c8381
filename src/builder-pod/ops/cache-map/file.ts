import { posix } from 'node:path';
import { digestOf, goJson, hasGlob, invalidArgument } from '../../../base/index.ts';
import type { ContentSelector } from '../../../cache/contenthash/index.ts';
import type { ChownOpt, FileAction, FileOp, UserOpt } from '../../../llb/index.ts';
import { keyParts } from './key-parts.ts';
import {
  compareBytes,
  dedupePaths,
  jsonDigest,
  NOTHING,
  type OpCacheInput,
  type OpCacheMap,
  omitEmpty,
} from './op-cache-map.ts';

/** Keys of a file op. An input that is only read enters by the content of what is read of it. @throws CodedError invalid_argument */
export function fileCacheMap(file: FileOp, inputCount: number): OpCacheMap {
  const indexes = file.actions.map(({ input, secondaryInput, output }) => [input, secondaryInput, output]);
  const partsOf = (reads: Reads) => ({
    Type: 'buildkit.file.v0',
    Actions: file.actions.map((action) => actionJson(action, reads)),
    indexes: isPlainChain(indexes) ? undefined : indexes,
  });
  const reads = new Reads(inputCount);
  const parts = partsOf(reads);
  const changed = new Set(file.actions.map(({ input }) => input));
  return {
    digest: jsonDigest({ ...parts, Actions: parts.Actions.map((action) => Buffer.from(goJson(action))) }),
    parts: () => keyParts(partsOf(new Reads(inputCount))),
    inputs: inputsOf(
      inputCount,
      reads.all.filter(([input]) => !changed.has(input)),
    ),
  };
}

/** Of very many inputs few are read. */
function inputsOf(count: number, read: Iterable<readonly [number, readonly ContentSelector[]]>): OpCacheInput[] {
  const inputs = new Array<OpCacheInput>(count).fill(NOTHING);
  for (const [input, selectors] of read) inputs[input] = inputOf(selectors);
  return inputs;
}

/** What is read of each input; of most nothing. */
class Reads {
  readonly inputs: number;
  readonly #selectors = new Map<number, ContentSelector[]>();

  constructor(inputs: number) {
    this.inputs = inputs;
  }

  get all(): IteratorObject<[number, readonly ContentSelector[]]> {
    return this.#selectors.entries();
  }

  has(input: number): boolean {
    return input >= 0 && input < this.inputs;
  }

  add(input: number, selector: ContentSelector): void {
    const known = this.#selectors.get(input);
    if (known === undefined) this.#selectors.set(input, [selector]);
    else known.push(selector);
  }
}

function inputOf(selectors: readonly ContentSelector[]): OpCacheInput {
  const paths = selectors.map((selector) => selector.path).sort(compareBytes);
  return { selector: digestOf(paths.reverse().join('\0')), content: dedupeSelectors(selectors) };
}

function actionJson({ body, secondaryInput }: FileAction, reads: Reads): unknown {
  switch (body.kind) {
    case 'copy': {
      const { copy } = body;
      const owner = ownerJson(copy.owner, reads);
      const isRead = reads.has(secondaryInput);
      if (isRead)
        reads.add(secondaryInput, {
          path: copy.src,
          followLinks: copy.followSymlink,
          wildcard: copy.allowWildcard && hasGlob(copy.src),
          includePatterns: copy.includePatterns,
          excludePatterns: copy.excludePatterns,
          requiredPaths: copy.requiredPaths,
        });
      return omitEmpty({
        // Where it lay in an input does not matter; what the copy is called may.
        src: isRead ? posix.basename(copy.src) || '/' : copy.src,
        dest: copy.dest,
        owner,
        mode: copy.mode,
        followSymlink: copy.followSymlink,
        dirCopyContents: copy.dirCopyContents,
        attemptUnpackDockerCompatibility: copy.attemptUnpack,
        createDestPath: copy.createDestPath,
        allowWildcard: copy.allowWildcard,
        allowEmptyWildcard: copy.allowEmptyWildcard,
        timestamp: copy.timestamp,
        include_patterns: copy.includePatterns,
        exclude_patterns: copy.excludePatterns,
        alwaysReplaceExistingDestPaths: copy.alwaysReplaceExistingDestPaths,
        modeStr: copy.modeStr,
        required_paths: copy.requiredPaths,
      });
    }
    case 'mkfile': {
      const { path, mode, data, owner, timestamp } = body.mkfile;
      return omitEmpty({ path, mode, data, owner: ownerJson(owner, reads), timestamp });
    }
    case 'mkdir': {
      const { path, mode, makeParents, owner, timestamp } = body.mkdir;
      return omitEmpty({ path, mode, makeParents, owner: ownerJson(owner, reads), timestamp });
    }
    case 'rm': {
      const { path, allowNotFound, allowWildcard } = body.rm;
      return omitEmpty({ path, allowNotFound, allowWildcard });
    }
    case 'symlink': {
      const { oldPath, newPath, owner, timestamp } = body.symlink;
      return omitEmpty({ oldpath: oldPath, newpath: newPath, owner: ownerJson(owner, reads), timestamp });
    }
  }
}

function ownerJson(owner: ChownOpt | undefined, reads: Reads) {
  return (
    owner &&
    omitEmpty({ user: userJson(owner.user, '/etc/passwd', reads), group: userJson(owner.group, '/etc/group', reads) })
  );
}

/** A name makes the file it is looked up in part of what is read. */
function userJson(user: UserOpt | undefined, path: string, reads: Reads) {
  if (!user) return undefined;
  if ('id' in user) return { User: omitEmpty({ byId: user.id }) };
  if (user.input < 0) throw invalidArgument(`invalid user index ${user.input}`);
  if (!reads.has(user.input))
    throw invalidArgument(`invalid input index ${user.input} in file op with ${reads.inputs} inputs`);
  reads.add(user.input, { path, followLinks: true });
  return { User: { byName: omitEmpty({ name: user.name, input: user.input }) } };
}

/** Selectors without those that a plain one above covers, by path. */
function dedupeSelectors(selectors: readonly ContentSelector[]): readonly ContentSelector[] {
  const filtered = (selector: ContentSelector) =>
    Boolean(selector.wildcard || selector.includePatterns?.length || selector.excludePatterns?.length);
  const plain = (followLinks: boolean) =>
    dedupePaths(
      selectors
        .filter((each) => !filtered(each) && (each.followLinks ?? false) === followLinks)
        .map((each) => each.path),
    );
  const result: ContentSelector[] = [
    ...plain(false).map((path) => ({ path })),
    ...plain(true).map((path) => ({ path, followLinks: true })),
    ...selectors.filter(filtered),
  ];
  return result.sort((a, b) => compareBytes(a.path, b.path));
}

/** The shape that Dockerfiles make: keys from before indexes were part of them stay valid. (It counts actions where inputs would be meant; kept.) */
function isPlainChain(indexes: readonly (readonly number[])[]): boolean {
  return (
    indexes.length > 0 &&
    indexes.every(
      ([input, secondary, output], i) =>
        input === (i === 0 ? 0 : indexes.length + i - 1) &&
        (secondary === -1 || secondary === 1) &&
        output === (i === indexes.length - 1 ? 0 : -1),
    )
  );
}
