import type { PatternMatcher, Platform } from '../base/index.ts';
import type { Output, ProxyEnv, SourceInfo } from '../llb/index.ts';
import type { Linter } from './lint.ts';
import type { BuildOptions } from './options.ts';
import type { Environment } from './stage-state.ts';

/** What all stages of one conversion share. */
export interface DispatchContext {
  readonly options: BuildOptions;
  readonly globalArgs: Environment;
  readonly targetPlatform: Platform;
  readonly escape: string;
  /** The Dockerfile, which steps point into. */
  readonly source: SourceInfo;
  readonly buildContext: Output;
  readonly ignore: PatternMatcher | undefined;
  readonly ignorePatterns: readonly string[];
  readonly proxy: ProxyEnv | undefined;
  /** Seconds since the epoch. */
  readonly epoch: number | undefined;
  readonly lint: Linter;
  readonly llbCaps: ReadonlySet<string>;
}
