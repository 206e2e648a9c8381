/** A field of bytes, text or a message that consists of these parts, as parts: none of them is copied (protobuf encoding, length-delimited records). */
export function delimited(field: number, parts: readonly Uint8Array[]): readonly Uint8Array[] {
  return [Buffer.from([...varint(field * 8 + 2), ...varint(lengthOf(parts))]), ...parts];
}

export function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}
