const SUFFIXES: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** A Kubernetes quantity, such as `500m`, `1.5`, `2Gi` or `1e3`; undefined for what is none, or negative. */
export function parseQuantity(text: string | undefined): number | undefined {
  const [, amount, suffix = ''] =
    /^\+?([0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+)([a-zA-Z]{0,2})$/.exec(text ?? '') ?? [];
  const factor = SUFFIXES[suffix];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}
