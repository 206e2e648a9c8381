import { registerHooks } from 'node:module';
import { CodedError } from '../../base/index.ts';
import { runOrThrow } from '../process/run.ts';
import { nativeGate } from '../threads/native-gate.ts';
import type { StreamContext, TaskContext } from '../threads/task.ts';

export function double(value: number): number {
  return value * 2;
}

export function failCoded(): never {
  throw CodedError.of('GIT_NOT_FOUND', 'no such thing', { hint: 'look again', cause: new Error('why') });
}

export async function failErrno(): Promise<never> {
  const { readFileSync } = await import('node:fs');
  readFileSync('/no/such/file');
  throw new Error('unreachable');
}

export function spin(_: unknown, context: TaskContext): void {
  for (;;) context.throwIfAborted();
}

/** Computes until it is told to stop, and posts all along for how long it has had a core, in ms. */
export function compute(stop: SharedArrayBuffer, context: TaskContext): void {
  const told = new Int32Array(stop);
  const used = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  const before = used();
  for (let n = 0; Atomics.load(told, 0) === 0; n++) {
    context.throwIfAborted();
    if (n % 1000 === 0) context.post(used() - before);
  }
}

export function spinDeaf(): void {
  for (;;);
}

/** As native code does that takes long, and what calls it again. */
export function goThroughGate(ms: number): void {
  nativeGate?.enter();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  nativeGate?.leave();
  nativeGate?.enter();
  nativeGate?.leave();
}

export function crash(): void {
  process.exit(7);
}

export async function waitForAbort(_: unknown, { signal, post }: StreamContext): Promise<void> {
  post('waiting');
  await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

export function bytes(size: number, context: TaskContext): Uint8Array {
  const value = new Uint8Array(size).fill(7);
  context.transfer(value.buffer);
  return value;
}

export async function runEcho(text: string, { signal }: StreamContext): Promise<string> {
  return runOrThrow('/bin/echo', [text], { signal });
}

let lookups: number | undefined;

/** How often this thread's loader was asked to find a module, from the first call of this on. */
export function loaderLookups(): number {
  if (lookups === undefined) {
    lookups = 0;
    registerHooks({
      resolve(specifier, context, next) {
        lookups = (lookups ?? 0) + 1;
        return next(specifier, context);
      },
    });
  }
  return lookups;
}
