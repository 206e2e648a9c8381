/** A frontend that computes without end. */
export function start(): void {
  for (;;);
}
