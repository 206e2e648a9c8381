import type { AbortOptions, Platform } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { DockerfileClient, FrontendResult } from '../../dockerfile/frontend-interface.ts';
import type { VertexProgress } from '../../solver/ports.ts';

/** One platform of a result; `ref` is undefined for scratch. */
export interface ExportRef {
  /** Platform id, e.g. `linux/arm64`; empty when the result is a single ref without platforms. */
  readonly id: string;
  readonly platform: Platform | undefined;
  readonly ref: ImmutableRef | undefined;
}

/** What a build came to. `metadata` as in research wire-facts 8.4. */
export interface ExportInput {
  readonly refs: readonly ExportRef[];
  /** The frontend returned a map of refs: an index (or a directory for each platform) is wanted even for one. */
  readonly multiPlatform: boolean;
  readonly metadata: ReadonlyMap<string, Uint8Array>;
}

export interface ExportContext extends AbortOptions {
  readonly progress: VertexProgress;
  /** Session ids of the build. */
  readonly sessions: () => readonly string[];
  /** The session of the client that started the build, where results without a registry go. */
  readonly session: string;
  /** Position in the solve request. */
  readonly exporterId: number;
  readonly scope: string;
}

/**
 * One output of a build. A lost result ({@link LostResultError}) is thrown as it is: the build makes it anew and calls again.
 */
export interface Exporter {
  /** Name of the vertex, e.g. `exporting to image`. */
  readonly name: string;
  /** Returns the exporter response (research wire-facts 5.3). */
  export(input: ExportInput, context: ExportContext): Promise<Readonly<Record<string, string>>>;
}

/** Makes exporters by type (`image`, `oci`, …). Attributes it does not know are ignored. @throws CodedError invalid_argument */
export type ExporterFactory = (attrs: Readonly<Record<string, string>>) => Exporter;

/** A built-in frontend, e.g. `dockerfile.v0`. */
export type Frontend = (client: DockerfileClient, options: AbortOptions) => Promise<FrontendResult>;
