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
/** Those of these are what a name stood for, mostly a digest. */
const PINNED: ReadonlySet<KeyPart['kind']> = new Set(['base', 'source']);
/** Digests, and commits. */
const PIN = /^(?:sha256:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{64})$/;
/** Shorter ones are no secrets, and stand in every other name. */
const LEAST_SECRET = 4;
/** Values that are looked for in names; where there are more no name is told. */
const MOST_SECRETS = 100;

/** Of a build whose values are not kept: whether one stands in a text, since arguments may be filled in in names. */
export interface Hiding {
  /** The same for the same values. */
  readonly id: string;
  has(text: string): boolean;
}

/** Hides the values of a build's arguments (`build-arg:…` of a frontend's attributes), and all other values with them. */
export function hidingOf(attrs: Iterable<readonly [string, string]>): Hiding {
  const values = [...attrs].flatMap(([name, value]) =>
    name.startsWith('build-arg:') && value.length >= LEAST_SECRET && value.length <= MOST_NAME ? [value] : [],
  );
  const own = [...new Set(values)].sort();
  return {
    id: digestOf(JSON.stringify(own)),
    has: (text) => own.length > MOST_SECRETS || own.some((value) => text.includes(value)),
  };
}

/**
 * Bounded so that what differs still differs. Of a build with `hiding` only digests of values are kept, and of names in which one of them stands: names of
 * variables, mounts and images are its user's to see, and say what changed.
 */
export function recordedParts(parts: readonly KeyPart[], hiding: Hiding | undefined): readonly RecordedPart[] {
  let room = MOST_VALUES;
  const recorded = parts.slice(0, MOST_PARTS).map(({ kind, name: whole, value }): RecordedPart => {
    const name = whole.length > MOST_NAME || hiding?.has(whole) ? digestOf(whole) : whole;
    const isPlain = PLAIN_VALUES.has(kind) || (PINNED.has(kind) && PIN.test(value));
    if ((hiding !== undefined && !isPlain) || value.length > Math.min(room, MOST_VALUE))
      return { kind, name, digest: digestOf(value) };
    room -= value.length;
    return { kind, name, value };
  });
  const rest = parts.slice(MOST_PARTS);
  if (rest.length === 0) return recorded;
  return [...recorded, { kind: 'option', name: `${rest.length} more`, digest: digestOf(JSON.stringify(rest)) }];
}

/** Names in which nothing is filled in. */
const FIXED_NAMES: ReadonlySet<string> = new Set(['[internal] load build context']);

/**
 * Of a step's name what no user wrote: its number and its instruction, and whether it is the same. Arguments of the build are filled in in the rest, and what
 * was made of them (`${X#…}`, `${X%…}`) is not seen for what it is.
 */
export function hiddenName(name: string): string {
  if (FIXED_NAMES.has(name)) return name;
  const [, place = '', instruction = ''] =
    /^\[(?:[^\]]{0,200} )?(\d{1,6}\/\d{1,6}|internal)\] ((?:ADD|COPY|FROM|RUN|WORKDIR) )?/.exec(name) ?? [];
  return `${place === '' ? '' : `[${place}] `}${instruction}${digestOf(name)}`;
}
