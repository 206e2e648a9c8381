/**
 * JSON text as Go's encoding/json writes it, for what peers hash or compare byte by byte: no spaces, or lines with `indent` before the members; members in
 * insertion order, undefined left out, `<`, `>`, `&`, U+2028 and U+2029 escaped, bigint as a number, bytes as base64.
 */
export function goJson(value: unknown, indent = ''): string {
  let text = '';
  // What is open around what is written next. No recursion: configurations come from outside, nested as deep as they like.
  const open: Open[] = [];
  let newline = '\n';
  const begin = (next: unknown) => {
    if (isScalar(next)) {
      text += writeScalar(next);
      return;
    }
    const isArray = Array.isArray(next);
    text += isArray ? '[' : '{';
    open.push({
      value: next as Open['value'],
      keys: isArray ? undefined : Object.keys(next as object),
      at: 0,
      some: false,
    });
    newline += indent;
  };
  begin(value);
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { keys } = top;
    if (top.at === (keys ?? (top.value as readonly unknown[])).length) {
      open.pop();
      newline = newline.slice(0, newline.length - indent.length);
      if (top.some && indent !== '') text += newline;
      text += keys === undefined ? ']' : '}';
      continue;
    }
    const key = keys?.[top.at];
    const member = key === undefined ? (top.value as readonly unknown[])[top.at] : (top.value as Members)[key];
    top.at++;
    if (key !== undefined && member === undefined) continue;
    if (top.some) text += ',';
    top.some = true;
    if (indent !== '') text += newline;
    if (key !== undefined) text += `${goJsonString(key)}:${indent && ' '}`;
    begin(member);
  }
  return text;
}

type Members = Readonly<Record<string, unknown>>;

/** An array or object that is being written. */
interface Open {
  readonly value: readonly unknown[] | Members;
  readonly keys: readonly string[] | undefined;
  /** The member that comes next, and whether any has been written. */
  at: number;
  some: boolean;
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null || value instanceof Uint8Array;
}

function writeScalar(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return goJsonString(value);
  if (value instanceof Uint8Array)
    return `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"`;
  return String(value);
}

/** What no character of needs to be written otherwise, as of nearly all names and commands. */
const PLAIN = /^[ !#-%'-;=?-[\]-~]*$/;

function goJsonString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  // Go writes U+FFFD for what is no character.
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
