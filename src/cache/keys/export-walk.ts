import { LargeMap } from '../../base/index.ts';
import type { CacheRecord, KeyReader } from '../../solver/index.ts';

/** A key with all that a cache manifest says of it. */
export interface KeyRecord {
  readonly id: string;
  /** BuildKit's record digest. */
  readonly digest: string;
  /** By input slot the alternatives that lead here; empty for a root. */
  readonly inputs: readonly (readonly { readonly selector: string; readonly from: string }[])[];
  readonly results: readonly CacheRecord[];
}

/** Ways into one slot that a cache tells of: more lead to the same. */
const MAX_WAYS = 50;

/**
 * The keys from which `roots` are reached in the given scopes, each once, inputs before what they lead to. A key that is the target of links has the
 * digest of those links; a root has its own id. Those that are `known`, and what only leads to them, are left out. Yields after each.
 */
export function* walkKeys(
  store: KeyReader,
  roots: readonly string[],
  scopes: readonly string[],
  known: ReadonlySet<string> = new Set(),
): Generator<void, readonly KeyRecord[], void> {
  const records: KeyRecord[] = [];
  const state = LargeMap.byText<string, 'open' | 'done'>();
  const open = [...roots];
  while (open.length > 0) {
    const id = open.at(-1)!;
    const at = known.has(id) ? 'done' : state.get(id);
    if (at === 'done') {
      open.pop();
      continue;
    }
    yield;
    const backlinks = store.backlinks(id, scopes);
    if (at === undefined) {
      state.set(id, 'open');
      for (const { from } of backlinks) if (!state.has(from) && !known.has(from)) open.push(from);
      continue;
    }
    open.pop();
    state.set(id, 'done');
    const inputs: { selector: string; from: string }[][] = [];
    for (const { from, link } of backlinks) {
      if (state.get(from) === 'open') continue; // a looping link is invalid in a manifest
      while (inputs.length <= link.input) inputs.push([]);
      if (inputs[link.input]!.length < MAX_WAYS) inputs[link.input]!.push({ selector: link.selector, from });
    }
    records.push({
      id,
      digest: backlinks[0]?.link.record ?? id,
      inputs,
      results: store.results(id, scopes),
    });
  }
  return records;
}
