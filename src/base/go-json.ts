/**
 * JSON text as Go's encoding/json writes it, for what peers hash or compare byte by byte: no spaces, or lines with `indent` before the members; members in
 * insertion order, undefined left out, `<`, `>`, `&`, U+2028 and U+2029 escaped, bigint as a number, bytes as base64.
 */
export function goJson(value: unknown, indent = ''): string {
  return write(value, indent, '\n');
}

function write(value: unknown, indent: string, newline: string): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return goJsonString(value);
  if (typeof value === 'bigint' || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`;
  const inner = newline + indent;
  const parts = Array.isArray(value)
    ? value.map((item) => write(item, indent, inner))
    : Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([key, member]) => `${goJsonString(key)}:${indent && ' '}${write(member, indent, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (indent === '' || parts.length === 0) return `${open}${parts.join(',')}${close}`;
  return `${open}${inner}${parts.join(`,${inner}`)}${newline}${close}`;
}

function goJsonString(text: string): string {
  // Go writes U+FFFD for what is no character.
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
