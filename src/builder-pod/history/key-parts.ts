import { type Digest, digestOf } from '../../base/index.ts';
import type { KeyPart } from '../../solver/index.ts';

/** A part of a key as a record has it: as it is, or where it is long or not to be kept, its digest. */
export type RecordedPart = Pick<KeyPart, 'kind' | 'name'> & ({ readonly value: string } | { readonly digest: Digest });

const MOST_PARTS = 500;
const MOST_NAME = 200;
const MOST_VALUE = 4 << 10;
/** Characters of all values of one key. */
const MOST_VALUES = 32 << 10;
/** What no user wrote into it. */
const PLAIN: ReadonlySet<KeyPart['kind']> = new Set(['op', 'platform', 'base']);

/** Bounded so that what differs still differs. `hidden`: values may come from Secrets, and only their digests are kept. */
export function recordedParts(
  parts: readonly KeyPart[],
  { hidden }: { readonly hidden: boolean },
): readonly RecordedPart[] {
  let room = MOST_VALUES;
  const recorded = parts.slice(0, MOST_PARTS).map(({ kind, name: whole, value }): RecordedPart => {
    const name = whole.length > MOST_NAME ? digestOf(whole) : whole;
    if ((hidden && !PLAIN.has(kind)) || value.length > Math.min(room, MOST_VALUE))
      return { kind, name, digest: digestOf(value) };
    room -= value.length;
    return { kind, name, value };
  });
  const rest = parts.slice(MOST_PARTS);
  if (rest.length === 0) return recorded;
  return [...recorded, { kind: 'option', name: `${rest.length} more`, digest: digestOf(JSON.stringify(rest)) }];
}
