const UNITS: Readonly<Record<string, number>> = { Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Bytes of a size that the schema has accepted. */
export function parseByteSize(text: string): number {
  const [, amount, unit] = /^([0-9]+)(Mi|Gi|Ti)$/.exec(text) ?? [];
  return Number(amount) * (UNITS[unit as string] as number);
}
