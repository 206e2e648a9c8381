import { goQuote } from '../base/index.ts';

export { goQuote as quote };

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

/** The spellings of a boolean that flags and options accept; undefined for any other text. */
export function parseBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  return undefined;
}

/** `["a" "b"]` */
export function quoteList(items: readonly string[]): string {
  return `[${items.map(goQuote).join(' ')}]`;
}

/** The fields of one line of comma-separated values, with "…" quoting (RFC 4180). Undefined when the quoting is broken. */
export function csvFields(line: string): string[] | undefined {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] === '"') {
      let field = '';
      at += 1;
      for (;;) {
        const end = line.indexOf('"', at);
        if (end < 0) return undefined;
        field += line.slice(at, end);
        at = end + 1;
        if (line[at] !== '"') break;
        field += '"';
        at += 1;
      }
      if (at < line.length && line[at] !== ',') return undefined;
      fields.push(field);
    } else {
      const comma = line.indexOf(',', at);
      const field = comma < 0 ? line.slice(at) : line.slice(at, comma);
      if (field.includes('"')) return undefined;
      fields.push(field);
      at += field.length;
    }
    if (at >= line.length) return fields;
    at += 1;
  }
}
