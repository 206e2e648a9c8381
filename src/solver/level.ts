/**
 * How far an edge is, and how far someone wants it: `fast` keys come from the definition alone, `slow` keys also from the content of
 * inputs, and then the result.
 */
export const Level = { none: 0, fast: 1, slow: 2, result: 3 } as const;
export type Level = (typeof Level)[keyof typeof Level];
