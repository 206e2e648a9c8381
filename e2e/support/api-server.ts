import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import type { Authority } from './certificates.ts';

/** Whether an API server says that it serves. */
export function isApiServerReady(url: string, ca: Authority): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(`${url}/readyz`, { ca: readFileSync(ca.cert), timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('error', () => resolve(false));
    request.once('timeout', () => request.destroy());
  });
}
