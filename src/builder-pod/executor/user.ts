import { CodedError, invalidArgument } from '../../base/index.ts';
import { hasErrno, type Root } from '../../sys/index.ts';

export interface StepUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the main one first. */
  readonly additionalGids: readonly number[];
}

const MAX_ID = 2 ** 31 - 1;
const MAX_FILE = 8 << 20;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Who `spec` (`user`, `uid`, each with `:group` or `:gid`; empty is root) is in this root file system. A number needs no entry; a name does. Without a group the
 * main and supplementary ones of the user's entries hold. @throws CodedError invalid_argument for names that are not there.
 */
export function lookupUser(root: Root, spec: string): StepUser {
  const colon = spec.indexOf(':');
  const userPart = (colon < 0 ? spec : spec.slice(0, colon)) || '0';
  const groupPart = colon < 0 ? '' : spec.slice(colon + 1);
  const wanted = toId(userPart);
  const entry = readPasswd(root).find(({ name, uid }) => name === userPart || uid === wanted);
  const uid = entry?.uid ?? wanted;
  if (uid === undefined) {
    throw invalidArgument(`unable to find user ${userPart}: no matching entries in passwd file`, {
      reason: 'EXEC_UNKNOWN_USER',
      hint: 'create the user in an earlier step, or give a numeric id',
    });
  }
  if (groupPart !== '') {
    const gid = lookupGroup(root, groupPart);
    return { uid, gid, additionalGids: [gid] };
  }
  const gid = entry?.gid ?? 0;
  const extra = entry === undefined ? [] : readGroups(root).filter(({ members }) => members.includes(entry.name));
  return { uid, gid, additionalGids: [...new Set([gid, ...extra.map((group) => group.gid)])] };
}

/** Group id of a name or number. */
export function lookupGroup(root: Root, group: string): number {
  const wanted = toId(group);
  const gid = readGroups(root).find((entry) => entry.name === group || entry.gid === wanted)?.gid ?? wanted;
  if (gid !== undefined) return gid;
  throw invalidArgument(`unable to find group ${group}: no matching entries in group file`, {
    reason: 'EXEC_UNKNOWN_GROUP',
    hint: 'create the group in an earlier step, or give a numeric id',
  });
}

function toId(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id < 0 || id > MAX_ID) throw invalidArgument(`uids and gids must be in range 0-${MAX_ID}`);
  return id;
}

function readPasswd(root: Root): PasswdEntry[] {
  return readColonFile(root, '/etc/passwd').flatMap(([name = '', , uid = '', gid = '']) =>
    /^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : [],
  );
}

function readGroups(root: Root): GroupEntry[] {
  return readColonFile(root, '/etc/group').flatMap(([name = '', , gid = '', members = '']) =>
    /^\d+$/.test(gid) ? [{ name, gid: Number(gid), members: members.split(',').filter(Boolean) }] : [],
  );
}

function readColonFile(root: Root, path: string): string[][] {
  let text: string;
  try {
    text = root.readFile(path, MAX_FILE).toString('utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    if (hasErrno(error, 'EFBIG', 'EINVAL', 'EISDIR', 'ELOOP')) {
      throw new CodedError('invalid_argument', `${path} of the step's root is not a readable file`, { cause: error });
    }
    throw error;
  }
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
