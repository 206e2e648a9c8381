import type { Device } from './device.ts';
import type { Location } from './location.ts';
import type { Mount } from './mount.ts';

/** What every instruction carries. */
export interface CommandBase {
  /** The keyword as written. */
  readonly keyword: string;
  /** The whole instruction as written, continuations joined. */
  readonly code: string;
  readonly location: Location;
  readonly comments: readonly string[];
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Written `KEY value`, without the equals sign. */
  readonly legacy: boolean;
}

export interface ArgDefinition {
  readonly key: string;
  readonly value: string | undefined;
  /** From the comment above. */
  readonly description: string;
}

/** A file written in the Dockerfile itself. */
export interface InlineFile {
  readonly name: string;
  readonly data: string;
  readonly expand: boolean;
}

/** A command line; `shell`: it is to run through the shell. */
export interface CommandLine {
  readonly args: readonly string[];
  readonly shell: boolean;
  readonly heredocs: readonly { readonly name: string; readonly data: string; readonly chomp: boolean }[];
}

export interface CopySources {
  readonly paths: readonly string[];
  readonly files: readonly InlineFile[];
  readonly destination: string;
}

export interface CopyCommand extends CommandBase {
  readonly kind: 'copy' | 'add';
  readonly sources: CopySources;
  /** COPY only: stage, index or image. */
  readonly from: string;
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly excludes: readonly string[];
  /** ADD only. */
  readonly keepGitDir: boolean | undefined;
  readonly checksum: string;
  readonly unpack: boolean | undefined;
}

export interface RunCommand extends CommandBase {
  readonly kind: 'run';
  readonly line: CommandLine;
  /** `--mount` values as written: they are expanded where the instruction is reached. */
  readonly mountTexts: readonly string[];
  /** What `from=` says of each, known before expansion. */
  readonly mountSources: readonly string[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly devices: readonly Device[];
  /** Filled by expansion. */
  readonly mounts: readonly Mount[];
}

/** Times in nanoseconds, 0 for the default. */
export interface Healthcheck {
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

/** One command type for each kind, so that the kind alone tells it. */
type Each<K extends string, T> = K extends string ? CommandBase & { readonly kind: K } & T : never;

export type Command =
  | CopyCommand
  | RunCommand
  | Each<'env' | 'label', { readonly pairs: readonly KeyValue[] }>
  | Each<'arg', { readonly definitions: readonly ArgDefinition[] }>
  | Each<'cmd' | 'entrypoint', { readonly line: CommandLine }>
  | Each<'shell', { readonly shell: readonly string[] }>
  | Each<'expose', { readonly ports: readonly string[] }>
  | Each<'volume', { readonly volumes: readonly string[] }>
  | Each<'healthcheck', { readonly healthcheck: Healthcheck }>
  | Each<'onbuild', { readonly expression: string }>
  | Each<'user' | 'workdir' | 'stopsignal' | 'maintainer', { readonly value: string }>;

export type CommandOf<K extends Command['kind']> = Extract<Command, { readonly kind: K }>;

/** FROM with the instructions up to the next FROM. */
export interface Stage {
  readonly keyword: string;
  readonly code: string;
  readonly location: Location;
  readonly comments: readonly string[];
  /** Lower case; empty when it has none. */
  readonly name: string;
  readonly description: string;
  /** As written, not expanded. */
  readonly base: string;
  readonly platform: string;
  readonly commands: readonly Command[];
}
