import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Code, CodedError, toCodedError } from '../../../base/index.ts';
import { runOrThrow } from '../../../sys/index.ts';
import type { Git } from './git-command.ts';
import { isCommit } from './remote.ts';

/** What a ref of the remote is now. */
export interface ResolvedRef {
  /** Full name, e.g. refs/heads/main, or the commit itself. */
  readonly ref: string;
  /** What the ref names: a commit or an annotated tag. */
  readonly object: string;
  /** The commit that an annotated tag leads to; undefined when the object is one itself. */
  readonly tagged?: string;
}

/** Asks the remote for a ref; the default branch when `ref` is empty. Branches win over tags of the same name. */
export async function resolveRef(git: Git, url: string, ref: string): Promise<ResolvedRef> {
  if (isCommit(ref)) return { ref, object: ref };
  const what = `resolve ${ref === '' ? 'the default branch' : ref} of ${url}`;
  let wanted = ref;
  if (wanted === '') {
    const head = await git.run(what, ['ls-remote', '--symref', '--end-of-options', url, 'HEAD']);
    wanted = /^ref: (\S+)\tHEAD$/m.exec(head)?.[1] ?? '';
    if (wanted === '') throw CodedError.of('GIT_NOT_FOUND', `${what}: the remote names none`);
  }
  const output = await git.run(what, ['ls-remote', '--end-of-options', url, wanted, `${wanted}^{}`]);
  const refs = new Map(
    output
      .split('\n')
      .map((line) => line.split('\t'))
      .flatMap(([sha, name]) =>
        sha !== undefined && name !== undefined && isCommit(sha) ? [[name, sha] as const] : [],
      ),
  );
  const names = [`refs/${wanted.replace(/^refs\//, '')}`, `refs/heads/${wanted.replace(/^refs\/heads\//, '')}`];
  for (const name of names) {
    const object = refs.get(name);
    if (object === undefined) continue;
    const peeled = refs.get(`${name}^{}`);
    return { ref: name, object, ...(peeled === undefined ? {} : { tagged: peeled }) };
  }
  const tag = `refs/tags/${wanted.replace(/^refs\/tags\//, '')}`;
  const object = refs.get(tag);
  if (object === undefined) {
    throw CodedError.of('GIT_NOT_FOUND', `${what}: the repository has no such ref`, {
      hint: isAbbreviation(wanted)
        ? 'commits must be given in full (40 hex digits)'
        : 'check the name of the branch or tag',
    });
  }
  const tagged = refs.get(`${tag}^{}`);
  return { ref: tag, object, ...(tagged === undefined ? {} : { tagged }) };
}

function isAbbreviation(text: string): boolean {
  return /^[0-9a-f]{4,39}$/.test(text);
}

/** @throws invalid_argument when what the ref leads to does not begin with the checksum that was asked for. */
export function checkChecksum(resolved: ResolvedRef, checksum: string): void {
  if (checksum === '' || resolved.object.startsWith(checksum) || resolved.tagged?.startsWith(checksum)) return;
  const got = resolved.tagged === undefined ? resolved.object : `${resolved.tagged} or ${resolved.object}`;
  throw CodedError.of('GIT_CHECKSUM', `expected checksum to match ${checksum}, got ${got} (${resolved.ref})`);
}

/** What lies in a mirror while somebody works on it; who finds it there comes after one that was cut. */
const IN_USE = 'slipway-in-use';
/** Failures that the state of a mirror has no part in. */
const OTHERS = new Set<Code>(['cancelled', 'not_found', 'unauthenticated', 'permission_denied', 'invalid_argument']);

/**
 * Works on the bare repository below `root` that keeps what was fetched from one remote; the caller has it alone. What a killed git left in it (locks, half of
 * a pack) is cleared away first. A mirror that turns out damaged is made anew, and `work` done again with that.
 */
export async function withMirror<T>(
  git: Git,
  root: string,
  sha256: boolean,
  work: (gitDir: string) => Promise<T>,
): Promise<T> {
  const gitDir = join(root, sha256 ? 'mirror-sha256.git' : 'mirror.git');
  const inUse = join(gitDir, IN_USE);
  for (let attempt = 0; ; attempt++) {
    const kept = existsSync(join(gitDir, 'config'));
    if (!kept) await makeMirror(git, gitDir, sha256);
    else if (existsSync(inUse)) await clearLeftovers(git, gitDir);
    writeFileSync(inUse, '');
    try {
      const result = await work(gitDir);
      rmSync(inUse);
      return result;
    } catch (error) {
      if (attempt > 0 || !kept || OTHERS.has(toCodedError(error).code) || (await isSound(git, gitDir))) throw error;
      await remove(git, gitDir);
    }
  }
}

async function makeMirror(git: Git, gitDir: string, sha256: boolean): Promise<void> {
  // Half of one, perhaps.
  await remove(git, gitDir);
  const format = sha256 ? ['--object-format=sha256'] : [];
  await git.run('prepare a git mirror', ['init', '--quiet', '--bare', ...format, '--end-of-options', gitDir]);
}

async function clearLeftovers({ signal }: Git, gitDir: string): Promise<void> {
  const leftovers = ['(', '-name', '*.lock', '-o', '-name', 'tmp_*', '-o', '-name', 'incoming', ')'];
  await runOrThrow('find', [gitDir, '-type', 'f', ...leftovers, '-delete'], { signal });
}

async function isSound(git: Git, gitDir: string): Promise<boolean> {
  return (await git.try(['fsck', '--no-dangling', '--no-progress'], { gitDir })).code === 0;
}

async function remove({ signal }: Git, gitDir: string): Promise<void> {
  await runOrThrow('rm', ['-rf', '--', gitDir], { signal });
}

/** Brings the object into the mirror, by as little as possible: nothing, one commit, or all that the remote shows. Whether it was not there. */
export async function fetchInto(git: Git, gitDir: string, url: string, { ref, object }: ResolvedRef): Promise<boolean> {
  const has = async () =>
    (await git.try(['cat-file', '-e', '--end-of-options', `${object}^{commit}`], { gitDir })).code === 0;
  const keep = () => git.run('keep what was fetched', ['update-ref', `refs/slipway/${object}`, object], { gitDir });
  if (await has()) return false;
  const fetch = ['fetch', '--quiet', '--no-tags', '--force', '--no-write-fetch-head', '--update-head-ok'];
  const shallow = (source: string) =>
    git.try([...fetch, '--depth=1', '--end-of-options', url, `${source}:refs/slipway/incoming`], { gitDir });
  const attempts = ref === object ? [object] : [ref, object];
  let said = '';
  for (const source of attempts) {
    const result = await shallow(source);
    if (result.code === 0 && (await has())) {
      await keep();
      return true;
    }
    said ||= result.stderr;
  }
  // Servers that give no commits by name: everything, until the commit is there.
  const all = [...fetch, ...((await isShallow(git, gitDir)) ? ['--unshallow'] : [])];
  await git.run(
    `fetch ${url}`,
    [...all, '--end-of-options', url, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'],
    { gitDir },
  );
  if (!(await has()))
    throw CodedError.of(
      'GIT_NOT_FOUND',
      `fetch ${url}: the repository has no commit ${object}${said === '' ? '' : ` (${said.trim().slice(-300)})`}`,
      { hint: 'the branch may have been rewritten meanwhile: try again' },
    );
  await keep();
  return true;
}

async function isShallow(git: Git, gitDir: string): Promise<boolean> {
  return (await git.run('read the mirror', ['rev-parse', '--is-shallow-repository'], { gitDir })).trim() === 'true';
}
