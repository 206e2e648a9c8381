/** The text of a cache's config in which each record that others led to is reached from itself alone. */
export function inCircles(config: string): string {
  const { records, ...rest } = JSON.parse(config) as { records: { inputs?: { link?: number }[][] }[] };
  const linked = records.map(({ inputs, ...record }, n) =>
    inputs === undefined
      ? record
      : { ...record, inputs: inputs.map((slot) => slot.map((way) => ({ ...way, link: n }))) },
  );
  return JSON.stringify({ ...rest, records: linked });
}
