import {
  type AbortOptions,
  type BuildTrust,
  CodedError,
  type Digest,
  invalidArgument,
  type Platform,
  type WorkOptions,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { OpContext } from '../../solver/ports.ts';

/** A source op taken apart: `scheme://identifier` and its attributes. */
export interface SourceRequest {
  readonly scheme: string;
  /** What follows `://`. */
  readonly identifier: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly platform: Platform | undefined;
}

/** What a source turned out to be, for the record of a build. */
export type ResolvedSource =
  | { readonly kind: 'git'; readonly host: string; readonly path: string; readonly commit: string }
  | { readonly kind: 'image'; readonly name: string; readonly digest: Digest };

/** An op that knows of a source. */
export interface Resolved {
  /** Undefined before its key was asked for. */
  resolved(): ResolvedSource | undefined;
  /** What it is pinned to: an image's digest, a commit, a file's digest. Undefined before its key was asked for, and for what has none. */
  pin(): string | undefined;
}

/** What the source of an op is pinned to; undefined for ops that have none. */
export function sourcePin(op: object): string | undefined {
  return 'pin' in op ? (op as Resolved).pin() : undefined;
}

/** What the source of an op turned out to be; undefined for ops that have none. */
export function resolvedSource(op: object): ResolvedSource | undefined {
  return 'resolved' in op ? (op as Resolved).resolved() : undefined;
}

/** The key of a source's content, before `buildkit.source.v0:` is put in front and all is hashed. */
export interface SourceKey {
  /** Text that begins with `session:` is a key that says nothing about content (local directories). */
  readonly key: string;
  /** What the source was resolved to, e.g. an image digest or a commit, for provenance. */
  readonly pin?: string;
  readonly resolved?: ResolvedSource;
  /** What the key is a digest of, where it is one. */
  readonly made?: Readonly<Record<string, unknown>>;
}

interface GitDescription {
  readonly checksum: string;
  readonly ref: string;
  readonly commitChecksum: string;
  /** As git has it, where it was asked for; the tag's where there is an annotated one. */
  readonly commitObject?: Uint8Array;
  readonly tagObject?: Uint8Array;
}

export interface DescribeOptions {
  /** The commit itself is wanted, not its name alone. */
  readonly gitObject?: boolean;
}

/** What a source is now, for frontends that decide by it. */
export interface SourceDescription {
  /** `checksum` is what the ref names; `commitChecksum` the commit that an annotated tag leads to. */
  readonly git?: GitDescription;
  /** `lastModified` in milliseconds since the epoch. */
  readonly http?: { readonly checksum: Digest; readonly filename: string; readonly lastModified?: number };
}

/** One source op of one active vertex. `cacheKey` comes first; the signal and sessions of the context serve all waits. */
export interface SourceInstance {
  /** The key; the same object may be asked again and answers the same. */
  cacheKey(context: OpContext): Promise<SourceKey>;
  /** The content as a ref, which is the caller's to release. */
  snapshot(context: OpContext): Promise<ImmutableRef>;
  /** What can be said of it before it is built with. */
  describe?(context: OpContext, options?: DescribeOptions): Promise<SourceDescription>;
}

/** Makes instances for one scheme. @throws CodedError invalid_argument naming the attribute that is wrong. */
export type SourceFactory = (request: SourceRequest) => SourceInstance;

/** The sources that a builder knows, by scheme. */
export class SourceRegistry {
  readonly #factories = new Map<string, SourceFactory>();

  register(scheme: string, factory: SourceFactory): void {
    this.#factories.set(scheme, factory);
  }

  get schemes(): readonly string[] {
    return [...this.#factories.keys()];
  }

  /** @throws CodedError invalid_argument or unimplemented */
  resolve(identifier: string, attrs: Readonly<Record<string, string>>, platform: Platform | undefined): SourceInstance {
    const at = identifier.indexOf('://');
    if (at <= 0) throw invalidArgument(`invalid source ${JSON.stringify(identifier)}: expected scheme://…`);
    const scheme = identifier.slice(0, at);
    const factory = this.#factories.get(scheme);
    if (factory === undefined)
      throw new CodedError('unimplemented', `sources of the scheme ${JSON.stringify(scheme)} are not supported`, {
        hint: `known schemes: ${this.schemes.join(', ')}`,
        fault: 'user',
      });
    return factory({ scheme, identifier: identifier.slice(at + 3), attrs, platform });
  }
}

/** Secrets of the builds that want a source now, by session ids; implemented by the daemon's sessions. */
export interface SourceSecrets {
  /** The first session's answer; undefined when none has it. */
  secret(id: string, sessions: readonly string[], options: AbortOptions): Promise<Uint8Array | undefined>;
  /** A socket at which the client's ssh agent `id` answers; undefined when no session forwards it. */
  sshAgent(
    id: string,
    sessions: readonly string[],
    options: WorkOptions,
  ): Promise<({ readonly path: string } & AsyncDisposable) | undefined>;
}

/** How the connections of the builds of these sessions leave the machine: as the first of them that says so; undefined for as the builder's own. */
export type TrustOf = (sessions: readonly string[]) => BuildTrust | undefined;

/** An attribute that must be a whole number. `base` 8 for modes. */
export function numberAttr(
  attrs: Readonly<Record<string, string>>,
  name: string,
  base: 0 | 10 = 10,
): number | undefined {
  const text = attrs[name];
  if (text === undefined || text === '') return undefined;
  const value = base === 0 && /^0o?[0-7]+$/.test(text) ? Number.parseInt(text.replace('o', ''), 8) : Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw invalidArgument(`source attribute ${name}: invalid number ${JSON.stringify(text)}`);
  return value;
}
