import { type Digest, digestOf } from '../../base/index.ts';
import type { KeyPart } from '../../solver/index.ts';

/** A part of a key as a record has it: as it is, or where it is long or not to be kept, its digest. */
export type RecordedPart = Pick<KeyPart, 'kind' | 'name'> & ({ readonly value: string } | { readonly digest: Digest });

const MOST_PARTS = 500;
const MOST_NAME = 200;
const MOST_VALUE = 4 << 10;
/** Characters of all values of one key. */
const MOST_VALUES = 32 << 10;
/** Values that no user wrote. */
const PLAIN_VALUES: ReadonlySet<KeyPart['kind']> = new Set(['op', 'platform']);
/** Names that users wrote, or that arguments are filled in in: of variables and paths, addresses and references. */
const WRITTEN_NAMES: ReadonlySet<KeyPart['kind']> = new Set(['source', 'base', 'env', 'mount']);

/** Bounded so that what differs still differs. `hidden`: what users wrote may come from Secrets or name what is theirs, and only digests of it are kept. */
export function recordedParts(
  parts: readonly KeyPart[],
  { hidden }: { readonly hidden: boolean },
): readonly RecordedPart[] {
  let room = MOST_VALUES;
  const recorded = parts.slice(0, MOST_PARTS).map(({ kind, name: whole, value }): RecordedPart => {
    const name = whole.length > MOST_NAME || (hidden && WRITTEN_NAMES.has(kind)) ? digestOf(whole) : whole;
    if ((hidden && !PLAIN_VALUES.has(kind)) || value.length > Math.min(room, MOST_VALUE))
      return { kind, name, digest: digestOf(value) };
    room -= value.length;
    return { kind, name, value };
  });
  const rest = parts.slice(MOST_PARTS);
  if (rest.length === 0) return recorded;
  return [...recorded, { kind: 'option', name: `${rest.length} more`, digest: digestOf(JSON.stringify(rest)) }];
}

/**
 * Of a step's name what no user wrote: its number and its instruction, and whether it is the same. Arguments of the build are filled in in the rest, and stages
 * and contexts are named by users, contexts as the images that they stand for.
 */
export function hiddenName(name: string): string {
  const [, place = '', instruction = ''] =
    /^\[(?:[^\]]{0,200} )?(\d{1,6}\/\d{1,6}|internal)\] ((?:ADD|COPY|FROM|RUN|WORKDIR) )?/.exec(name) ?? [];
  return `${place === '' ? '' : `[${place}] `}${instruction}${digestOf(name)}`;
}
