import type { PlainError } from './error-transfer.ts';

export type ToWorker =
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly module: string;
      readonly fn: string;
      readonly args: unknown;
      readonly abortFlag: SharedArrayBuffer;
      readonly bestEffort: SharedArrayBuffer | undefined;
    }
  | { readonly kind: 'abort'; readonly id: number };

export type FromWorker =
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: PlainError }
  | { readonly kind: 'post'; readonly id: number; readonly message: unknown };
