import { hasErrno, type Root } from '../../../sys/index.ts';

/** A user or group of an owner: its number, or a name to look up in a file system's own files. */
export type OwnerPart = { readonly id: number } | { readonly name: string; readonly root: Root };

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

const MAX_FILE = 8 << 20;

/**
 * Numbers of an owner. A user given by number stands for the group too, one given by name brings its own group. A name that has no entry is root, as BuildKit has
 * it; `missing` is told.
 */
export function lookUpOwner(
  user: OwnerPart | undefined,
  group: OwnerPart | undefined,
  missing: (what: string) => void,
): Ids {
  let ids: Ids = { uid: 0, gid: 0 };
  if (user && 'id' in user) ids = { uid: user.id, gid: user.id };
  else if (user) {
    const entry = find(user, '/etc/passwd');
    if (entry) ids = { uid: toId(entry[2]), gid: toId(entry[3]) };
    else missing(`user ${user.name} is not in /etc/passwd: root is taken`);
  }
  if (group && 'id' in group) return { ...ids, gid: group.id };
  if (!group) return ids;
  const entry = find(group, '/etc/group');
  if (!entry) missing(`group ${group.name} is not in /etc/group`);
  return entry ? { ...ids, gid: toId(entry[2]) } : ids;
}

function find({ name, root }: { readonly name: string; readonly root: Root }, path: string): string[] | undefined {
  for (const fields of lines(root, path)) if (fields[0] === name) return fields;
  return undefined;
}

function* lines(root: Root, path: string): Iterable<string[]> {
  let text: string;
  try {
    text = root.readFile(path, MAX_FILE).toString('utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw error;
  }
  for (const line of text.split('\n')) yield line.split(':').map((field) => field.trim());
}

function toId(text: string | undefined): number {
  const id = Number(text);
  return Number.isInteger(id) && id >= 0 && id <= 0xffffffff ? id : 0;
}
