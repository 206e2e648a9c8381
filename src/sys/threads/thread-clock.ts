import { setPriority } from 'node:os';
import { libc } from '../libc.ts';

/** `CPUCLOCK_PERTHREAD` and `CPUCLOCK_SCHED`: the kernel's clock of one thread, as `pthread_getcpuclockid` makes its name. */
const THREAD_CLOCK = 6;
const LOW_PRIORITY = 10;

const time = new BigInt64Array(2);
const buffer = new Uint8Array(time.buffer);

/**
 * Milliseconds for which a thread of this process has been on a CPU: what it has computed, however long it had to wait for one. 0 for a thread that
 * is not there.
 */
export function cpuMsOf(thread: number): number {
  if (thread === 0 || libc.clockGettime((~thread << 3) | THREAD_CLOCK, buffer) < 0) return 0;
  return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
}

/** Has other threads computed before this one of the process, where they want the same CPU. */
export function lowerPriority(thread: number): void {
  try {
    // The kernel's priorities are those of threads.
    if (thread !== 0) setPriority(thread, LOW_PRIORITY);
  } catch {
    // It has ended, or may not.
  }
}
