/** Lines of a file, from 1. */
export interface MarkedLines {
  readonly filename: string | undefined;
  /** Of the whole file. */
  readonly lines: readonly string[];
  readonly startLine: number;
  readonly endLine: number;
}

/** A here-document can be as long as its file, and a file can have a finding on each line. */
const MOST_LINES = 30;
const RULE = '-'.repeat(20);

/** {@link markedLines} below their place. */
export function snippet(place: MarkedLines): string[] {
  const shown = markedLines(place);
  return shown.length === 0 ? [] : [`${place.filename ?? ''}:${place.startLine}`, RULE, ...shown, RULE];
}

/**
 * The lines that an error or a finding is about, numbered and marked, with those around them: two beside a single line and one beside several, as BuildKit
 * shows them; fewer where all would be more than `most` characters.
 */
export function markedLines(
  { lines, startLine, endLine }: Omit<MarkedLines, 'filename'>,
  most = Number.POSITIVE_INFINITY,
): string[] {
  if (startLine > lines.length) return [];
  const end = Math.min(lines.length, Math.max(startLine, endLine));
  for (let around = startLine === end ? 2 : 1; ; around--) {
    const first = Math.max(1, startLine - around);
    const shown = lines.slice(first - 1, Math.min(end + around, first - 1 + MOST_LINES)).map((text, index) => {
      const number = first + index;
      const mark = number >= startLine && number <= end ? '>>>' : '   ';
      return ` ${String(number).padStart(3)} | ${mark} ${text}`;
    });
    if (around === 0 || shown.join('\n').length <= most) return shown;
  }
}
