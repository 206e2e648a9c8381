/** Loaded into each thread of a daemon (`NODE_OPTIONS=--import`): every thread, process and mount that it starts becomes a line of the file `SLIPWAY_TEST_STARTS`. */
import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';

const file = process.env['SLIPWAY_TEST_STARTS'];
if (file !== undefined) {
  const write = (kind: string, what: string) => appendFileSync(file, `${kind} ${what}\n`);
  process.on('worker', ({ threadName }) => write('thread', threadName ?? ''));
  // As `sys/starts.ts` publishes it.
  subscribe('slipway.starts', (message) => {
    const { kind, what } = message as { readonly kind: string; readonly what: string };
    write(kind, what);
  });
}
