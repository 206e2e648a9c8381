import { z } from 'zod';

/** Cores as Kubernetes writes them: `2`, `0.5` or `500m`, at least a hundredth of one. */
export const cpus = (description: string) =>
  z
    .string()
    .max(8)
    .regex(
      /^([1-9][0-9]{1,6}m|[1-9][0-9]{0,3}([.][0-9]{1,3})?|0[.]([1-9][0-9]{0,2}|0[1-9][0-9]?))$/,
      'must be cores such as 2, 0.5 or 500m',
    )
    .describe(description);

/** Thousandths of a core, of what the schema has accepted. */
export function parseCpuMillis(text: string): number {
  return text.endsWith('m') ? Number(text.slice(0, -1)) : Math.round(Number(text) * 1000);
}
