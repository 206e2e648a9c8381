import { type CodedError, invalidArgument } from '../../base/index.ts';

/** What is wrong with a field of a graph. */
export function fault(field: string, what: string, cause?: unknown): CodedError {
  return invalidArgument(`${field}: ${what}`, cause === undefined ? {} : { cause });
}

/** What `${NAME}` may name. */
export type Arguments = ReadonlyMap<string, string>;

const REFERENCE = /\$(\$|\{([^{}]*)\})?/g;
/** Characters of a text once its arguments are in it: a short one may name long ones many times. */
const MOST = 262_144;

/** Puts the Build's arguments into a text: `${NAME}`; `$$` is a dollar sign. @throws CodedError for one that is not there, naming the field */
export function expand(text: string, field: string, args: Arguments): string {
  if (!text.includes('$')) return text;
  let length = text.length;
  return text.replace(REFERENCE, (whole, rest: string | undefined, name: string | undefined) => {
    if (rest === '$') return '$';
    if (name === undefined)
      throw fault(field, `"${whole}" is neither \${NAME}, an argument of the Build, nor $$, a dollar sign`);
    const value = args.get(name);
    if (value === undefined) {
      const known = [...args.keys()].join(', ');
      throw fault(field, `\${${name}}: there is no such argument in spec.args; there are ${known}`);
    }
    length += value.length;
    if (length > MOST) throw fault(field, `with its arguments it is longer than ${MOST} characters`);
    return value;
  });
}

/** A path that does not climb: what is above a file system is nobody's. */
export function checkedPath(path: string, field: string): string {
  if (path === '') throw fault(field, 'must not be empty');
  if (path.includes('\0')) throw fault(field, 'has a NUL character');
  if (path.split('/').includes('..')) throw fault(field, `${JSON.stringify(path)} must not have ".."`);
  return path;
}

export const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;
