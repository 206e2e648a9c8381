/**
 * Loaded into a daemon before its main (`NODE_OPTIONS=--import`): at SIGUSR2 the longest turn of its serving thread is written to `BENCH_TURNS`, in milliseconds of
 * computing: whole, and without the pauses of the collector.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { meterPauses, meterTurns, TOLD_MS, type Turn } from './meter.ts';

/** Turns that are shorter are not looked at more closely. */
const LONG_MS = 5;

const file = process.env['BENCH_TURNS'];
if (isMainThread && file !== undefined) {
  let longest = 0;
  let own = 0;
  const pausedMs = meterPauses();
  const look = (turn: Turn) => {
    own = Math.max(own, turn.cpuMs - pausedMs(turn));
  };
  meterTurns((turn) => {
    longest = Math.max(longest, turn.cpuMs);
    if (turn.cpuMs > LONG_MS) setTimeout(look, TOLD_MS, turn).unref();
  });
  process.on('SIGUSR2', () => {
    setTimeout(() => {
      writeFileSync(`${file}.new`, JSON.stringify({ longest, own }));
      renameSync(`${file}.new`, file);
      longest = own = 0;
    }, 2 * TOLD_MS);
  });
}
