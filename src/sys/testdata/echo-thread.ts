import type { ThreadPort } from '../threads/thread.ts';

export function start(port: ThreadPort<string, string>, data: unknown): void {
  port.post(`hello ${String(data)}`);
  port.onMessage((message) => {
    if (message === 'fail') throw new Error('asked to fail');
    if (message === 'end') port.close();
    else port.post(`echo ${message}`);
  });
}
