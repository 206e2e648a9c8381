import { posix } from 'node:path';
import { encodeDefinition, FileActions, scratch } from '../llb/index.ts';

/**
 * Time of files written in a resource, in ns: 1980-01-01, the earliest that zip and its kin can say. Fixed, so that equal resources give equal layers.
 */
const FILE_TIME = 315_532_800_000_000_000n;

/** Files by relative path as a serialized Definition: one file op of mkdir and mkfile actions, in bytewise order of paths. */
export function inlineDefinition(
  given: Readonly<Record<string, string>> | ReadonlyMap<string, Uint8Array>,
): Uint8Array {
  const files = new Map<string, string | Uint8Array>(given instanceof Map ? given : Object.entries(given));
  let actions = new FileActions();
  const made = new Set<string>();
  const mkdir = (folder: string) => {
    if (folder === '/' || made.has(folder)) return;
    mkdir(posix.dirname(folder));
    made.add(folder);
    actions = actions.mkdir(folder, 0o755, { timestamp: FILE_TIME });
  };
  for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const absolute = posix.join('/', path);
    mkdir(posix.dirname(absolute));
    actions = actions.mkfile(absolute, 0o644, Buffer.from(content), { timestamp: FILE_TIME });
  }
  const named = { name: '[internal] write inline files' };
  // A graph of nothing would be taken for a missing input.
  if (files.size === 0) actions = actions.mkdir('/', 0o755, { makeParents: true, timestamp: FILE_TIME });
  const state = scratch().file(actions, named);
  return encodeDefinition(state.marshal());
}
