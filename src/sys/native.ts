import { createRequire } from 'node:module';
import type koffi from 'koffi';
import { nativeGate } from './threads/native-gate.ts';

/** Does something with native code, which nobody ends this thread under. */
function inside<T>(native: () => T): T {
  if (nativeGate === undefined) return native();
  nativeGate.enter();
  try {
    return native();
  } finally {
    nativeGate.leave();
  }
}

/** Not imported: that would load its machine code before anything here runs. */
const { load, address, errno } = inside(() => createRequire(import.meta.url)('koffi') as typeof koffi);

let failure = 0;

/** The errno of the last call on this thread that gave less than 0. */
export function lastFailure(): number {
  return failure;
}

/** A function of a library. */
interface NativeFunction {
  (...args: readonly unknown[]): number;
  /** On one of libuv's threads: for what computes and never waits. The last argument is called with an error or the result. */
  async(...args: readonly unknown[]): void;
}

interface NativeLibrary {
  /**
   * By its prototype in C. Its errno is kept at once: later it may be another's, since V8 waits for the helpers of a collection, and that wait leaves EAGAIN, at
   * any allocation and at the entry of any function of ours.
   */
  func(prototype: string): NativeFunction;
}

/** Null names the program itself. @throws Error where it is missing */
export function openLibrary(name: string | null): NativeLibrary {
  const lib = inside(() => load(name));
  return {
    func: (prototype) => {
      const native = inside(() => lib.func(prototype)) as unknown as NativeFunction;
      const call = (...args: readonly unknown[]): number => {
        nativeGate?.enter();
        try {
          const result = native(...args);
          if (result < 0) failure = errno();
          return result;
        } finally {
          nativeGate?.leave();
        }
      };
      return Object.assign(call, { async: (...args: readonly unknown[]) => callAside(native, args) });
    },
  };
}

function callAside(native: NativeFunction, args: readonly unknown[]): void {
  const done = args.at(-1) as (error: unknown, result: number) => void;
  nativeGate?.enter();
  try {
    native.async(...args.slice(0, -1), (error: unknown, result: number) => {
      nativeGate?.leave();
      done(error, result);
    });
  } catch (error) {
    nativeGate?.leave();
    throw error;
  }
}

/** Where memory that does not move lies. */
export function addressOf(buffer: Uint8Array): bigint {
  return inside(() => address(buffer));
}
