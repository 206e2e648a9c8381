import type { Terminal } from './progress/display.ts';

/** What the command takes from its process: given by main.ts, faked by tests. */
export interface CliIo {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly uid: number;
  /** Folder that holds `slipway` and `buildkitd`. */
  readonly bin: string;
  readonly signal: AbortSignal;
}
