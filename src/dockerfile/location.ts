import { type Code, CodedError, type CodedErrorOptions, sameAs, toCodedError } from '../base/index.ts';
import type { SourceInfo, SourceRange, StepOptions } from '../llb/index.ts';

/** A run of lines of the Dockerfile, 1-based and inclusive. */
export interface Location {
  readonly startLine: number;
  readonly endLine: number;
}

/** A failure that knows where in the Dockerfile it belongs; innermost location first. */
export class DockerfileError extends CodedError {
  readonly locations: readonly Location[];

  constructor(code: Code, message: string, locations: readonly Location[], options: CodedErrorOptions = {}) {
    super(code, message, options);
    this.locations = locations;
  }
}

/** The error with one more location; a plain error becomes a {@link DockerfileError}. */
export function located(error: unknown, location: Location | undefined): CodedError {
  const coded = toCodedError(error);
  if (location === undefined) return coded;
  const known = coded instanceof DockerfileError ? coded.locations : [];
  return relocated(coded, [...known, location]);
}

/** The error with exactly these locations. */
export function relocated(error: unknown, locations: readonly Location[], message?: string): DockerfileError {
  const coded = toCodedError(error);
  return new DockerfileError(coded.code, message ?? coded.message, locations, {
    ...sameAs(coded),
    cause: coded instanceof DockerfileError ? coded.cause : coded,
  });
}

/** Runs `action`; what it throws gets the location. */
export function atLocation<T>(location: Location | undefined, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw located(error, location);
  }
}

/** One range a line, as source maps and error details carry them; at most this many lines are listed. */
const MAX_RANGES = 10_000;

export function rangesOf(location: Location): SourceRange[] {
  const ranges: SourceRange[] = [];
  const end = Math.max(location.startLine, location.endLine);
  for (let line = location.startLine; line <= end && ranges.length < MAX_RANGES; line += 1)
    ranges.push({ start: { line, character: 0 }, end: { line, character: 0 } });
  return ranges;
}

/** The lines of an instruction, as its steps carry them. */
export function placeIn(file: SourceInfo, location: Location): NonNullable<StepOptions['locations']> {
  return [{ file, ranges: rangesOf(location) }];
}
