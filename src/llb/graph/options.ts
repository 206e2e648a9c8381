import type { Platform } from '../../base/index.ts';
import type { Definition, LinuxResources, OpMetadata, ProgressGroup, SourceRange } from '../op.ts';

/** A source file that steps come from; the same object (or an equal one) is written once. */
export interface SourceFile {
  readonly filename: string;
  readonly data: Uint8Array;
  /** Name as linguist has it, e.g. `Dockerfile`. */
  readonly language: string;
  /** A graph that makes the file again. */
  readonly definition?: Definition;
}

/** What any step may carry beside its op. */
export interface StepOptions {
  /** Display name (`llb.customname`). */
  readonly name?: string;
  readonly description?: Readonly<Record<string, string>>;
  readonly ignoreCache?: boolean;
  readonly exportCache?: boolean;
  readonly progressGroup?: ProgressGroup;
  /** Runs or resolves for this platform instead of the state's or the default one. */
  readonly platform?: Platform;
  /** Worker filters. */
  readonly constraints?: readonly string[];
  readonly locations?: readonly { readonly file: SourceFile; readonly ranges: readonly SourceRange[] }[];
  /** Exec only: limits that are hints, never part of keys. */
  readonly linuxResources?: LinuxResources;
}

export const EMPTY_METADATA: OpMetadata = { ignoreCache: false, description: {}, caps: {} };

/** Metadata of a step with the capabilities that its op needs. */
export function stepMetadata(options: StepOptions, caps: Iterable<string>): OpMetadata {
  return {
    ignoreCache: options.ignoreCache ?? false,
    description: {
      ...options.description,
      ...(options.name === undefined ? {} : { 'llb.customname': options.name }),
    },
    ...(options.exportCache === undefined ? {} : { exportCache: options.exportCache }),
    caps: Object.fromEntries(Array.from(caps, (cap) => [cap, true])),
    ...(options.progressGroup === undefined ? {} : { progressGroup: options.progressGroup }),
    ...(options.linuxResources === undefined ? {} : { linuxResources: options.linuxResources }),
  };
}

/** Metadata of two steps whose ops turned out equal. */
export function mergeMetadata(first: OpMetadata | undefined, second: OpMetadata): OpMetadata {
  if (!first) return second;
  return {
    ...first,
    ...second,
    ignoreCache: first.ignoreCache || second.ignoreCache,
    description: { ...first.description, ...second.description },
    caps: { ...first.caps, ...second.caps },
  };
}

/** What the pointer of a graph with these steps says: the capabilities that the graph as a whole needs. */
export function pointerMetadata(steps: Iterable<OpMetadata>): OpMetadata {
  const caps: Record<string, boolean> = { constraints: true, platform: true };
  for (const { ignoreCache, description, exportCache } of steps) {
    if (ignoreCache) caps['meta.ignorecache'] = true;
    if (Object.keys(description).length > 0) caps['meta.description'] = true;
    if (exportCache !== undefined) caps['meta.exportcache'] = true;
  }
  return { ...EMPTY_METADATA, caps };
}
