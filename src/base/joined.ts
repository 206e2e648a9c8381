/** Pieces of bytes as parts of about so many each, or more where one piece is longer: that one is not copied. */
export function* joined(pieces: Iterable<Uint8Array>, bytes: number): Generator<Uint8Array, void, void> {
  let held: Uint8Array[] = [];
  let length = 0;
  for (const piece of pieces) {
    const isLong = piece.length >= bytes;
    if (!isLong) {
      held.push(piece);
      length += piece.length;
    }
    if (length > 0 && (isLong || length >= bytes)) {
      yield Buffer.concat(held, length);
      held = [];
      length = 0;
    }
    if (isLong) yield piece;
  }
  if (length > 0) yield Buffer.concat(held, length);
}
