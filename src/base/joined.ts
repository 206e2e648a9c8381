import type { AbortOptions } from './signals.ts';
import { isTurnSpent, nextTurn } from './slices.ts';

/** Pieces of bytes as parts of about so many each, or more where one piece is longer: that one is not copied. */
export function* joined(pieces: Iterable<Uint8Array>, bytes: number): Generator<Uint8Array, void, void> {
  for (const part of steps(pieces, bytes)) if (part !== undefined) yield part;
}

/** All of {@link joined}, in slices between which others have their turn: for pieces whose making takes its time. */
export async function joinedInSlices(
  pieces: Iterable<Uint8Array>,
  bytes: number,
  options: AbortOptions,
): Promise<readonly Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for (const part of steps(pieces, bytes)) {
    if (part !== undefined) parts.push(part);
    if (isTurnSpent()) await nextTurn(options);
  }
  return parts;
}

/** Yields after each piece, too, when there is no part yet. */
function* steps(pieces: Iterable<Uint8Array>, bytes: number): Generator<Uint8Array | undefined, void, void> {
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
    yield isLong ? piece : undefined;
  }
  if (length > 0) yield Buffer.concat(held, length);
}
