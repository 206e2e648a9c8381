import { CodedError, invalidArgument } from '../../base/index.ts';
import { type Root, readGroups, readUsers } from '../../sys/index.ts';

export interface StepUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the main one first. */
  readonly additionalGids: readonly number[];
}

const MAX_ID = 2 ** 31 - 1;

/**
 * Who `spec` (`user`, `uid`, each with `:group` or `:gid`; empty is root) is in this root file system. A number needs no entry; a name does. Without a group the
 * main and supplementary ones of the user's entries hold. @throws CodedError invalid_argument for names that are not there.
 */
export function lookupUser(root: Root, spec: string): StepUser {
  const colon = spec.indexOf(':');
  const userPart = (colon < 0 ? spec : spec.slice(0, colon)) || '0';
  const groupPart = colon < 0 ? '' : spec.slice(colon + 1);
  const wanted = toId(userPart);
  const entry = usersOf(root).find(({ name, uid }) => name === userPart || uid === wanted);
  const uid = entry?.uid ?? wanted;
  if (uid === undefined) {
    throw CodedError.of('EXEC_UNKNOWN_USER', `unable to find user ${userPart}: no matching entries in passwd file`, {
      hint: 'create the user in an earlier step, or give a numeric id',
    });
  }
  if (groupPart !== '') {
    const gid = lookupGroup(root, groupPart);
    return { uid, gid, additionalGids: [gid] };
  }
  const gid = entry?.gid ?? 0;
  const extra = entry === undefined ? [] : groupsOf(root).filter(({ members }) => members.includes(entry.name));
  return { uid, gid, additionalGids: [...new Set([gid, ...extra.map((group) => group.gid)])] };
}

/** Group id of a name or number. */
function lookupGroup(root: Root, group: string): number {
  const wanted = toId(group);
  const gid = groupsOf(root).find((entry) => entry.name === group || entry.gid === wanted)?.gid ?? wanted;
  if (gid !== undefined) return gid;
  throw CodedError.of('EXEC_UNKNOWN_GROUP', `unable to find group ${group}: no matching entries in group file`, {
    hint: 'create the group in an earlier step, or give a numeric id',
  });
}

function toId(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id < 0 || id > MAX_ID) throw invalidArgument(`uids and gids must be in range 0-${MAX_ID}`);
  return id;
}

/** Entries with a broken number are none: a step would run as root in place of the user that is meant. */
function usersOf(root: Root) {
  return readUsers(root).flatMap(({ name, uid, gid }) =>
    uid === undefined || gid === undefined ? [] : [{ name, uid, gid }],
  );
}

function groupsOf(root: Root) {
  return readGroups(root).flatMap(({ name, gid, members }) => (gid === undefined ? [] : [{ name, gid, members }]));
}
