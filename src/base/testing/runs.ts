/** How often a property is tried: so often where all tests run (`npm test`), a fifth of it where somebody waits for the unit layer. */
export function runs(count: number): { readonly numRuns: number } {
  return { numRuns: process.env['SLIPWAY_ALL_RUNS'] === undefined ? Math.ceil(count / 5) : count };
}
