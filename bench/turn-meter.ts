/**
 * Loaded into a daemon before its main (`NODE_OPTIONS=--import`): measures how long the serving thread computes without a pause. A timer of a millisecond fires once in each turn of the event
 * loop that is longer; what the thread has computed since it last fired is that turn, however busy the machine is. At SIGUSR2 the longest is written to `BENCH_TURNS`, in milliseconds.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env['BENCH_TURNS'];
if (isMainThread && file !== undefined) {
  const computed = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = computed();
  let longest = 0;
  setInterval(() => {
    const now = computed();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1).unref();
  process.on('SIGUSR2', () => {
    writeFileSync(`${file}.new`, `${longest}\n`);
    renameSync(`${file}.new`, file);
    longest = 0;
  });
}
