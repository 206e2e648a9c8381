import type { WorkOptions } from '../../base/index.ts';
import { mountPrivately } from './mounting.ts';
import type { RefRecords } from './records.ts';
import type { RefRow } from './schema.ts';

/** Where the layer of a ref lies, as packing and restacking take it. */
interface Changes extends AsyncDisposable {
  /** What it changes, as an overlay's upper directory; with `whole` a view of all that there is to be. */
  readonly directory: string;
  readonly whole: boolean;
  /** A view of what it was made on. */
  readonly below: string | undefined;
}

/** The refs that must have snapshots for {@link openChanges}; undefined when one has none. */
export function changedRefs(records: RefRecords, { id, kind }: RefRow): readonly string[] {
  const parents = records.parents(id);
  if (kind === 'diff') return parents;
  return kind === 'whole' ? [id] : [...parents, id];
}

/** Opens a layer (see `layersOf`); undefined when a snapshot of it is missing. */
export async function openChanges(
  records: RefRecords,
  row: RefRow,
  options: WorkOptions,
): Promise<Changes | undefined> {
  const { snapshotter, pools, mountDirectory } = records.options;
  const rows = changedRefs(records, row).map((id) => records.row(id));
  const names = rows.flatMap((each) => each?.snapshot ?? []);
  if (names.length < rows.length) return undefined;
  await using stack = new AsyncDisposableStack();
  const view = async (name: string) =>
    stack.use(await mountPrivately(pools, mountDirectory, snapshotter.mounts(name), options)).root;
  const below = rows.length > 1 ? await view(names[0] as string) : undefined;
  const top = names.at(-1) as string;
  const whole = row.kind === 'diff' || (row.kind === 'whole' && records.parents(row.id).length > 0);
  const directory = whole ? await view(top) : snapshotter.upperDir(top);
  const closing = stack.move();
  return { directory, whole, below, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}
