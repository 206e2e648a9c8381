/**
 * JSON text as Go's encoding/json writes it, for what peers hash or compare byte by byte: no spaces, or lines with `indent` before the members; members in
 * insertion order, undefined left out, `<`, `>`, `&`, U+2028 and U+2029 escaped, bigint as a number, bytes as base64.
 */
export function goJson(value: unknown, indent = ''): string {
  let text = '';
  // What is still to be written, the next last. No recursion: configurations come from outside, nested as deep as they like.
  const rest: (string | Nested)[] = [{ value, newline: '\n' }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    if (typeof next === 'string') text += next;
    else if (isScalar(next.value)) text += writeScalar(next.value);
    else {
      const newline = next.newline + indent;
      const isArray = Array.isArray(next.value);
      const members = Object.entries(next.value as object).filter(([, member]) => isArray || member !== undefined);
      const [open, close] = isArray ? '[]' : '{}';
      const lines = indent !== '' && members.length > 0;
      text += open;
      rest.push(lines ? next.newline + close : `${close}`);
      for (const [at, [key, member]] of [...members.entries()].reverse()) {
        const name = isArray ? '' : `${goJsonString(key)}:${indent && ' '}`;
        rest.push({ value: member, newline }, `${at > 0 ? ',' : ''}${lines ? newline : ''}${name}`);
      }
    }
  }
  return text;
}

interface Nested {
  readonly value: unknown;
  /** A line end and the indent of the line that the value begins on. */
  readonly newline: string;
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null || value instanceof Uint8Array;
}

function writeScalar(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return goJsonString(value);
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`;
  return String(value);
}

function goJsonString(text: string): string {
  // Go writes U+FFFD for what is no character.
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
