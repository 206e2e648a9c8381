const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Whether Go counts time in it. */
export function isTimeUnit(unit: string): boolean {
  return Object.hasOwn(NANOSECONDS, unit);
}

/** The sum of all that a text counts in Go's units (`1h2m3.5s`), in nanoseconds. Which forms of it are a duration, the caller knows. */
export function nanosecondsIn(text: string): number {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gu))
    total += Number(count) * NANOSECONDS[unit!]!;
  return total;
}

/** The same in milliseconds. */
export function millisecondsIn(text: string): number {
  return nanosecondsIn(text) / 1e6;
}
