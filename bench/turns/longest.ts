/**
 * Loaded into a daemon before its main (`NODE_OPTIONS=--import`): at SIGUSR2 the longest turn of its serving thread is written to `BENCH_TURNS`, in milliseconds of
 * computing: whole, and without the pauses of the collector.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';
import { meterTurns, type Turn } from './meter.ts';

/** Turns that are shorter are not looked at more closely. */
const LONG_MS = 5;
/** Pauses are told in a later turn than they were in. */
const TOLD_MS = 50;

const file = process.env['BENCH_TURNS'];
if (isMainThread && file !== undefined) {
  let longest = 0;
  let own = 0;
  let pauses: { readonly startTime: number; readonly duration: number }[] = [];
  new PerformanceObserver((list) => {
    const since = performance.now() - 10_000;
    pauses = [...pauses.filter(({ startTime }) => startTime > since), ...list.getEntries()];
  }).observe({ entryTypes: ['gc'] });
  const began = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now();
  const look = ({ beganUs, wallMs, cpuMs }: Turn) => {
    const at = beganUs / 1000 - began;
    const within = pauses.filter(({ startTime }) => startTime >= at && startTime <= at + wallMs);
    own = Math.max(own, cpuMs - within.reduce((sum, { duration }) => sum + duration, 0));
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
