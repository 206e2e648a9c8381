import { CodedError } from '../base/index.ts';
import { hasErrno } from './libc.ts';
import type { Root } from './root.ts';

/** A line of /etc/passwd. What is no id is undefined. */
interface UserEntry {
  readonly name: string;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** A line of /etc/group. */
interface GroupEntry {
  readonly name: string;
  readonly gid: number | undefined;
  readonly members: readonly string[];
}

const MAX_FILE = 8 << 20;

/** The users of a file system that may be hostile; none where it has no such file. @throws CodedError invalid_argument for what is no file that can be read */
export function readUsers(root: Root): UserEntry[] {
  return readFields(root, '/etc/passwd').map(([name = '', , uid, gid]) => ({ name, uid: toId(uid), gid: toId(gid) }));
}

/** As {@link readUsers} for its groups. */
export function readGroups(root: Root): GroupEntry[] {
  return readFields(root, '/etc/group').map(([name = '', , gid, members = '']) => ({
    name,
    gid: toId(gid),
    members: members.split(',').filter(Boolean),
  }));
}

function toId(text = ''): number | undefined {
  return /^\d+$/.test(text) && Number(text) <= 0xffff_ffff ? Number(text) : undefined;
}

function readFields(root: Root, path: string): string[][] {
  let text: string;
  try {
    text = root.readFile(path, MAX_FILE).toString('utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    if (hasErrno(error, 'EFBIG', 'EINVAL', 'EISDIR', 'ELOOP'))
      throw new CodedError('invalid_argument', `${path} of the root file system is not a readable file`, {
        cause: error,
      });
    throw error;
  }
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
