import { CodedError } from '../../base/index.ts';

/**
 * `BytesMessage{data=1}` by hand: a session's tunnel is bound by messages, not bytes (tunnel-facts 2.7), and this one message is
 * the same in every package that has it.
 */
export function encodeBytesMessage(data: Uint8Array): Buffer {
  const length = data.length;
  if (length === 0) return Buffer.alloc(0);
  const head = length < 0x80 ? 2 : length < 0x4000 ? 3 : length < 0x200000 ? 4 : 5;
  const out = Buffer.allocUnsafe(head + length);
  out[0] = 0x0a;
  let rest = length;
  let at = 1;
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  out.set(data, at);
  return out;
}

/** The data of an encoded BytesMessage, as a view. Unknown fields are skipped. @throws CodedError internal when it is none */
export function decodeBytesMessage(message: Uint8Array): Uint8Array {
  let data = message.subarray(0, 0);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw broken();
  };
  while (at < message.length) {
    const tag = varint();
    if ((tag & 7) !== 2) throw broken();
    const length = varint();
    if (at + length > message.length) throw broken();
    if (tag === 0x0a) data = message.subarray(at, at + length);
    at += length;
  }
  return data;
}

function broken(): CodedError {
  return new CodedError('internal', 'a BytesMessage cannot be decoded', { fault: 'user' });
}
