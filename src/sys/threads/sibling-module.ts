import { extname } from 'node:path';

/** URL of a module beside the caller's: `.ts` in development, `.js` when built. `siblingModule(import.meta.url, './task')`. */
export function siblingModule(callerUrl: string, relative: string): URL {
  return new URL(`${relative}${extname(new URL(callerUrl).pathname)}`, callerUrl);
}
