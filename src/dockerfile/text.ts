import { goQuote } from '../base/index.ts';

export { csvFields, goQuote as quote, parseBoolean } from '../base/index.ts';

/** Unicode white space as Dockerfiles count it (Go's unicode.IsSpace: without the byte order mark, with U+0085). */
export function isSpace(character: string): boolean {
  return (/\s/u.test(character) && character !== '\ufeff') || character === '\u0085';
}

export function trimStartSpace(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text[start]!)) start += 1;
  return text.slice(start);
}

export function trimSpace(text: string): string {
  const left = trimStartSpace(text);
  let end = left.length;
  while (end > 0 && isSpace(left[end - 1]!)) end -= 1;
  return left.slice(0, end);
}

/** Without the given characters at the end, in linear time. */
export function trimEndOf(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1]!)) end -= 1;
  return text.slice(0, end);
}

/** Splits at the first `separator`; `rest` is undefined when it does not occur. */
export function cut(text: string, separator: string): [head: string, rest: string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** `["a" "b"]` */
export function quoteList(items: readonly string[]): string {
  return `[${items.map(goQuote).join(' ')}]`;
}
