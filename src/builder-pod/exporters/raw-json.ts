/**
 * JSON text rewritten without being understood, as Go's encoding/json does with raw values: numbers, order and doubled members stay as they are. On bytes, since
 * names need not be valid text.
 */

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c];
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPENING: ReadonlySet<number> = new Set([0x7b, 0x5b]);
const CLOSING: ReadonlySet<number> = new Set([0x7d, 0x5d]);
/** `<`, `>` and `&`. */
const ESCAPED: ReadonlySet<number> = new Set([0x3c, 0x3e, 0x26]);

class Writer {
  readonly #from: Buffer;
  readonly #parts: Uint8Array[] = [];
  #start = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  /** What was read up to here stays, but for `length` bytes at the end, which `text` replaces. */
  replace(to: number, length: number, text: string): void {
    if (to - length > this.#start) this.#parts.push(this.#from.subarray(this.#start, to - length));
    if (text !== '') this.#parts.push(Buffer.from(text));
    this.#start = to;
  }

  end(): Buffer {
    this.replace(this.#from.length, 0, '');
    return Buffer.concat(this.#parts);
  }
}

/** Without spaces, and with what HTML would understand escaped. @throws SyntaxError for what is no JSON */
export function compactJson(bytes: Buffer): Buffer {
  JSON.parse(bytes.toString('latin1'));
  const out = new Writer(bytes);
  let isString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (!isString) {
      if (byte === QUOTE) isString = true;
      else if (SPACES.has(byte)) out.replace(at + 1, 1, '');
    } else if (byte === BACKSLASH) at++;
    else if (byte === QUOTE) isString = false;
    else if (ESCAPED.has(byte)) out.replace(at + 1, 1, `\\u00${byte.toString(16)}`);
    // U+2028 and U+2029.
    else if (byte === 0xe2 && bytes[at + 1] === 0x80 && (bytes[at + 2]! & ~1) === 0xa8) {
      out.replace(at + 3, 3, `\\u202${(bytes[at + 2]! & 0xf).toString(16)}`);
      at += 2;
    }
  }
  return out.end();
}

/** In lines, what is compact. */
export function indentJson(compact: Buffer): Buffer {
  const out = new Writer(compact);
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  let isString = false;
  for (let at = 0; at < compact.length; at++) {
    const byte = compact[at]!;
    if (isString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isString = false;
    } else if (byte === QUOTE) isString = true;
    else if (OPENING.has(byte)) {
      if (CLOSING.has(compact[at + 1]!)) at++;
      else {
        depth++;
        out.replace(at + 1, 0, line());
      }
    } else if (CLOSING.has(byte)) {
      depth--;
      out.replace(at, 0, line());
    } else if (byte === COMMA) out.replace(at + 1, 0, line());
    else if (byte === COLON) out.replace(at + 1, 0, ' ');
  }
  return out.end();
}
