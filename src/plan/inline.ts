import { posix } from 'node:path';
import { invalidArgument } from '../base/index.ts';
import { encodeDefinition, FileActions, type State, type StepOptions, scratch } from '../llb/index.ts';

/**
 * Time of files written in a resource, in ns: 1980-01-01, the earliest that zip and its kin can say. Fixed, so that equal resources give equal layers.
 */
export const FILE_TIME = 315_532_800_000_000_000n;

/**
 * Files by relative path as a serialized Definition. @throws CodedError invalid_argument, naming `field`, for paths that cannot all be files of one tree
 */
export function inlineDefinition(
  given: Readonly<Record<string, string>> | ReadonlyMap<string, Uint8Array>,
  field: string,
): Uint8Array {
  // A build may have several of them.
  return encodeDefinition(inlineState(given, field, { name: `[internal] write ${field}` }).marshal());
}

/** The same as a state, over what is there: one file op of mkdir and mkfile actions, in bytewise order of paths. */
export function inlineState(
  given: Readonly<Record<string, string>> | ReadonlyMap<string, Uint8Array>,
  field: string,
  options: StepOptions,
  base: State = scratch(),
): State {
  const files = new Map<string, string | Uint8Array>(given instanceof Map ? given : Object.entries(given));
  let actions = new FileActions();
  const made = new Set<string>();
  const written = new Set<string>();
  const over = base.output === undefined ? {} : { makeParents: true };
  const mkdir = (folder: string) => {
    if (folder === '/' || made.has(folder)) return;
    mkdir(posix.dirname(folder));
    made.add(folder);
    actions = actions.mkdir(folder, 0o755, { timestamp: FILE_TIME, ...over });
  };
  for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const absolute = posix.join('/', path);
    if (absolute.endsWith('/')) throw invalidArgument(`${field}: ${JSON.stringify(path)} is the name of a folder`);
    if (written.has(absolute)) throw invalidArgument(`${field}: ${absolute.slice(1)} is there twice`);
    written.add(absolute);
    mkdir(posix.dirname(absolute));
    actions = actions.mkfile(absolute, 0o644, Buffer.from(content), { timestamp: FILE_TIME });
  }
  for (const path of written)
    if (made.has(path)) throw invalidArgument(`${field}: ${path.slice(1)} is a file, and others are below it`);
  // A graph of nothing would be taken for a missing input.
  if (files.size === 0) actions = actions.mkdir('/', 0o755, { makeParents: true, timestamp: FILE_TIME });
  return base.file(actions, options);
}
