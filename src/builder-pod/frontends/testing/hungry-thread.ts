/** A frontend that takes memory without end. */
export function start(): void {
  const kept: unknown[] = [];
  for (;;) kept.push(new Array(10_000).fill(kept.length).map((n) => ({ n })));
}
