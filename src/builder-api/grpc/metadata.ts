import { invalidArgument } from '../../base/index.ts';

/** Names that belong to HTTP/2 and gRPC itself and never appear as metadata. */
const RESERVED = /^(?::|grpc-(?!status-details-bin$)|te$|content-type$|user-agent$|content-length$|connection$|host$)/;

/**
 * Call metadata: lower-case names, repeatable, in order. Names ending in `-bin` hold bytes (base64 on the wire), all
 * others printable ASCII (gRPC over HTTP/2, "Custom-Metadata").
 */
export class Metadata {
  readonly #values = new Map<string, (string | Uint8Array)[]>();

  /** From pairs of name and value (or values). */
  static from(entries: Readonly<Record<string, string | Uint8Array | readonly string[]>>): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(entries))
      for (const one of Array.isArray(value) ? value : [value]) metadata.add(name, one);
    return metadata;
  }

  /** From the flat name/value list that node:http2 hands out, where repeated headers are still apart. */
  static fromRawHeaders(raw: readonly string[]): Metadata {
    const metadata = new Metadata();
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i]!.toLowerCase();
      if (RESERVED.test(name)) continue;
      if (name.endsWith('-bin'))
        for (const part of raw[i + 1]!.split(',')) metadata.#push(name, Buffer.from(part.trim(), 'base64'));
      else metadata.#push(name, raw[i + 1]!);
    }
    return metadata;
  }

  /** From plain pairs, e.g. of another thread. */
  static fromPairs(pairs: readonly (readonly [string, string | Uint8Array])[]): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of pairs) metadata.#push(name, value);
    return metadata;
  }

  /** @throws CodedError invalid_argument for a name or value that headers cannot carry. */
  add(name: string, value: string | Uint8Array): this {
    const key = name.toLowerCase();
    if (!/^[0-9a-z_.-]+$/.test(key) || RESERVED.test(key))
      throw invalidArgument(`invalid metadata name ${JSON.stringify(name)}`);
    if (key.endsWith('-bin') !== (typeof value !== 'string'))
      throw invalidArgument(`metadata ${key}: names ending in -bin hold bytes, all others text`);
    if (typeof value === 'string' && !/^[\x20-\x7e]*$/.test(value))
      throw invalidArgument(`metadata ${key}: the value is not printable ASCII`, { hint: 'percent-encode it' });
    this.#push(key, value);
    return this;
  }

  /** The first value as text. */
  get(name: string): string | undefined {
    const value = this.#values.get(name)?.[0];
    return typeof value === 'string' ? value : undefined;
  }

  getAll(name: string): readonly string[] {
    return (this.#values.get(name) ?? []).filter((value) => typeof value === 'string');
  }

  /** The first value of a `-bin` name. */
  getBytes(name: string): Uint8Array | undefined {
    const value = this.#values.get(name)?.[0];
    return value instanceof Uint8Array ? value : undefined;
  }

  pairs(): [string, string | Uint8Array][] {
    return [...this.#values].flatMap(([name, values]) =>
      values.map((value): [string, string | Uint8Array] => [name, value]),
    );
  }

  /** For node:http2: a repeated name is an array, which is sent as separate header lines. */
  toHeaders(): Record<string, string | string[]> {
    const headers: Record<string, string | string[]> = {};
    for (const [name, values] of this.#values) {
      const texts = values.map((value) => (typeof value === 'string' ? value : Buffer.from(value).toString('base64')));
      headers[name] = texts.length === 1 ? texts[0]! : texts;
    }
    return headers;
  }

  #push(name: string, value: string | Uint8Array): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }
}

/** Size of a header list as RFC 9113 6.5.2 counts it. */
export function headerListSize(headers: Readonly<Record<string, string | string[]>>): number {
  let size = 0;
  for (const [name, value] of Object.entries(headers))
    for (const one of Array.isArray(value) ? value : [value]) size += name.length + Buffer.byteLength(one) + 32;
  return size;
}
