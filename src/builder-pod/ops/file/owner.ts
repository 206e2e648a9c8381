import { type Root, readGroups, readUsers } from '../../../sys/index.ts';

/** A user or group of an owner: its number, or a name to look up in a file system's own files. */
export type OwnerPart = { readonly id: number } | { readonly name: string; readonly root: Root };

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Numbers of an owner. A user given by number stands for the group too, one given by name brings its own group. A name that has no entry is root, as BuildKit has
 * it; `missing` is told. A broken number of an entry is 0.
 */
export function lookUpOwner(
  user: OwnerPart | undefined,
  group: OwnerPart | undefined,
  missing: (what: string) => void,
): Ids {
  let ids: Ids = { uid: 0, gid: 0 };
  if (user && 'id' in user) ids = { uid: user.id, gid: user.id };
  else if (user) {
    const entry = readUsers(user.root).find(({ name }) => name === user.name);
    if (entry) ids = { uid: entry.uid ?? 0, gid: entry.gid ?? 0 };
    else missing(`user ${user.name} is not in /etc/passwd: root is taken`);
  }
  if (group && 'id' in group) return { ...ids, gid: group.id };
  if (!group) return ids;
  const entry = readGroups(group.root).find(({ name }) => name === group.name);
  if (!entry) missing(`group ${group.name} is not in /etc/group`);
  return entry ? { ...ids, gid: entry.gid ?? 0 } : ids;
}
