import type { ThreadPort } from '../../../sys/index.ts';

/** A frontend that ends without a word. */
export function start(port: ThreadPort): void {
  port.close();
}
