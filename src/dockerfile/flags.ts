import { invalidArgument } from '../base/index.ts';
import { didYouMean } from './suggest.ts';
import { cut } from './text.ts';

/** Kind of each flag that an instruction takes. */
export type FlagKinds = Readonly<Record<string, 'boolean' | 'string' | 'strings'>>;

/** Flags of one instruction, read by kind. */
export interface Flags {
  /** Undefined when not given. */
  boolean(name: string): boolean | undefined;
  string(name: string): string;
  strings(name: string): readonly string[];
}

/** @throws CodedError on unknown, doubled or valueless flags */
export function parseFlags(given: readonly string[], kinds: FlagKinds): Flags {
  const values = new Map<string, string[]>();
  for (const flag of given) {
    if (flag === '--') break;
    if (!flag.startsWith('--')) throw invalidArgument(`arg should start with -- : ${flag}`);
    const [dashed, value] = cut(flag, '=');
    const name = dashed.slice(2);
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) throw invalidArgument(`unknown flag: ${dashed}${didYouMean(name, Object.keys(kinds))}`);
    const earlier = values.get(name);
    if (earlier !== undefined && kind !== 'strings') throw invalidArgument(`duplicate flag specified: ${dashed}`);
    if (kind === 'boolean') {
      if (value === '') throw invalidArgument(`missing a value on flag: ${dashed}`);
      const normal = (value ?? 'true').toLowerCase();
      if (normal !== 'true' && normal !== 'false')
        throw invalidArgument(`expecting boolean value for flag ${dashed}, not: ${value}`);
      values.set(name, [normal]);
    } else {
      if (value === undefined) throw invalidArgument(`missing a value on flag: ${dashed}`);
      if (earlier === undefined) values.set(name, [value]);
      else earlier.push(value);
    }
  }
  return {
    boolean: (name) => (values.has(name) ? values.get(name)![0] === 'true' : undefined),
    string: (name) => values.get(name)?.[0] ?? '',
    strings: (name) => values.get(name) ?? [],
  };
}
