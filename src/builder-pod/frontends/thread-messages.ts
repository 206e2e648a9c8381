import type { Code, ErrorDetail, Fault, Reason } from '../../base/index.ts';
import type { BridgeResult, BridgeSolveRequest, BridgeWarning, BridgeWorker, FrontendBridge } from './bridge.ts';

/** What a built-in frontend begins its run with. Graphs cross encoded: to copy one of thousands of steps takes long, or fails. */
export interface ThreadData {
  readonly options: ReadonlyMap<string, string>;
  /** The bytes of each in parts. */
  readonly inputs: ReadonlyMap<string, readonly Uint8Array[]>;
  readonly sessionId: string;
  readonly workers: readonly BridgeWorker[];
  readonly llbCaps: readonly string[];
}

/** The bridge's calls that cross as request and reply. */
export type CallName =
  | 'solve'
  | 'readFile'
  | 'readDir'
  | 'statFile'
  | 'evaluate'
  | 'resolveImageConfig'
  | 'resolveSourceMeta';

export interface CrossingSolve extends Omit<BridgeSolveRequest, 'frontendInputs'> {
  readonly frontendInputs?: ReadonlyMap<string, Uint8Array>;
}

/** A call's arguments without the signal: calls end with the run that made them. */
export type CallArguments<N extends CallName> = N extends 'solve'
  ? [CrossingSolve]
  : Parameters<FrontendBridge[N]> extends [...infer A, unknown]
    ? A
    : never;

export type FromFrontend =
  | { readonly kind: 'call'; readonly id: number; readonly name: CallName; readonly args: readonly unknown[] }
  | { readonly kind: 'abandon'; readonly id: number }
  | { readonly kind: 'warn'; readonly warning: BridgeWarning }
  | { readonly kind: 'notice'; readonly message: string; readonly fields: Readonly<Record<string, string>> }
  | { readonly kind: 'done'; readonly result: BridgeResult };

/** A CodedError's members; its class does not cross between threads. */
export interface CallFailure {
  readonly code: Code;
  readonly message: string;
  readonly fault: Fault;
  readonly reason: Reason | undefined;
  readonly hint: string | undefined;
  readonly details: readonly ErrorDetail[];
}

export type ToFrontend =
  | { readonly kind: 'begin'; readonly data: ThreadData }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly error: CallFailure };
