/** Milliseconds of a duration that the schema has accepted. */
export function parseDuration(text: string): number {
  const unit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  for (const [, amount, name] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g))
    total += Number(amount) * (unit[name as string] as number);
  return total;
}
