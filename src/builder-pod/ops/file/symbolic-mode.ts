import { invalidArgument } from '../../../base/index.ts';

const SHIFT = { u: 6, g: 3, o: 0 } as const;
type Who = keyof typeof SHIFT;

/**
 * Applies a mode as chmod(1) takes it, octal or symbolic (`u+x,go-w`, `a=rX`, `g=u`), with no umask, to a file's permission bits.
 * @throws CodedError invalid_argument
 */
export function applyMode(text: string, mode: number, directory: boolean): number {
  if (/^[0-7]{1,5}$/.test(text)) return Number.parseInt(text, 8) & 0o7777;
  let result = mode & 0o7777;
  for (const clause of text.split(',')) {
    const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause);
    if (!match) throw invalidArgument(`invalid mode ${JSON.stringify(text)}`, { hint: 'Use 0755 or u+x,go-w.' });
    const who = match[1] === '' || match[1]!.includes('a') ? 'ugo' : match[1]!;
    for (const [, operator, permissions] of match[2]!.matchAll(/([-+=])([rwxXstugo]*)/g))
      result = applyAction(result, [...new Set(who)] as Who[], operator!, permissions!, directory);
  }
  return result;
}

function applyAction(mode: number, who: Who[], operator: string, permissions: string, directory: boolean): number {
  let bits = 0;
  let cleared = 0;
  for (const each of who) {
    bits |= bitsFor(mode, each, permissions, directory);
    cleared |= 0o7 << SHIFT[each];
    if (each === 'u') cleared |= 0o4000;
    if (each === 'g') cleared |= 0o2000;
  }
  if (operator === '+') return mode | bits;
  if (operator === '-') return mode & ~bits;
  if (who.length === 3) cleared |= 0o1000;
  return (mode & ~cleared) | bits;
}

function bitsFor(mode: number, who: Who, permissions: string, directory: boolean): number {
  let bits = 0;
  for (const permission of permissions) {
    if (permission === 'r') bits |= 4 << SHIFT[who];
    else if (permission === 'w') bits |= 2 << SHIFT[who];
    else if (permission === 'x' || (permission === 'X' && (directory || mode & 0o111))) bits |= 1 << SHIFT[who];
    else if (permission === 's') bits |= who === 'u' ? 0o4000 : who === 'g' ? 0o2000 : 0;
    else if (permission === 't') bits |= 0o1000;
    else if (permission === 'u' || permission === 'g' || permission === 'o')
      bits |= ((mode >> SHIFT[permission]) & 0o7) << SHIFT[who];
  }
  return bits;
}
