/**
 * File names are bytes on Linux, and strings here: UTF-8, with each byte that is no part of a valid sequence as the lone surrogate U+DC80 to U+DCFF
 * (Python's PEP 383 does the same). Such a string goes through every call of this room and comes out as the same bytes.
 */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ESCAPED = /[\udc80-\udcff]/;
const LONE = /[\ud800-\udbff][\udc00-\udfff]|[\udc80-\udcff]/g;

/** The string for a name's bytes. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return decodeInvalid(bytes);
  }
}

function decodeInvalid(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) text += String.fromCharCode(0xdc00 + (bytes[at++] as number));
    else {
      text += utf8.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

/** Bytes of the valid sequence that starts here; 0 when none does. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    utf8.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    // Overlong, a surrogate, out of range or cut.
    return 0;
  }
}

/** The bytes of a name. */
export function encodeName(name: string): Buffer {
  if (!ESCAPED.test(name)) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  let from = 0;
  for (const match of name.matchAll(LONE)) {
    if (match[0].length === 2) continue;
    parts.push(Buffer.from(name.slice(from, match.index), 'utf8'), Buffer.of(match[0].charCodeAt(0) - 0xdc00));
    from = match.index + 1;
  }
  parts.push(Buffer.from(name.slice(from), 'utf8'));
  return Buffer.concat(parts);
}

/** What koffi is to be given for a `const char*`: the string, or its bytes where the string is no UTF-16. */
export function cName(name: string): string {
  if (!ESCAPED.test(name)) return name;
  // koffi takes a pointer to bytes as well; the types of our declarations say string, as nearly all are.
  return Buffer.concat([encodeName(name), Buffer.of(0)]) as unknown as string;
}
