import type { PatternMatcher, Platform } from '../base/index.ts';
import type { ProxyEnv } from '../llb/op.ts';
import type { Output } from './graph.ts';
import type { Linter } from './lint.ts';
import type { BuildOptions } from './options.ts';
import type { Environment } from './stage-state.ts';

/** What all stages of one conversion share. */
export interface DispatchContext {
  readonly options: BuildOptions;
  readonly globalArgs: Environment;
  readonly targetPlatform: Platform;
  readonly escape: string;
  readonly buildContext: Output;
  readonly ignore: PatternMatcher | undefined;
  readonly ignorePatterns: readonly string[];
  readonly proxy: ProxyEnv | undefined;
  /** Seconds since the epoch. */
  readonly epoch: number | undefined;
  readonly lint: Linter;
  readonly llbCaps: ReadonlySet<string>;
}
