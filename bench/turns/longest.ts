/** Loaded into a daemon before its main (`NODE_OPTIONS=--import`): at SIGUSR2 the longest turn of its serving thread, in milliseconds of computing, is written to `BENCH_TURNS`. */
import { renameSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { meterTurns } from './meter.ts';

const file = process.env['BENCH_TURNS'];
if (isMainThread && file !== undefined) {
  let longest = 0;
  meterTurns(({ cpuMs }) => {
    longest = Math.max(longest, cpuMs);
  });
  process.on('SIGUSR2', () => {
    writeFileSync(`${file}.new`, `${longest}\n`);
    renameSync(`${file}.new`, file);
    longest = 0;
  });
}
