import { CodedError, digestOf, invalidArgument } from '../../../base/index.ts';

/** A `local://` source op, read. */
export interface LocalSource {
  readonly name: string;
  readonly sessionId: string | undefined;
  readonly unique: boolean;
  readonly sharedKeyHint: string;
  readonly includePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  readonly followPaths: readonly string[];
  readonly differ: 'none' | 'metadata';
}

/** `name` is what follows `local://`. @throws CodedError invalid_argument */
export function parseLocalSource(name: string, attrs: Readonly<Record<string, string>>): LocalSource {
  if (name === '') throw invalidArgument('local source: local:// names no directory');
  if (attrs['local.metadatatransfer'] === 'true')
    throw CodedError.of('UNSUPPORTED_ATTRIBUTE', 'local source: metadata-only transfer is not supported', {
      hint: 'leave local.metadatatransfer out',
    });
  const differ = attrs['local.differ'] ?? 'metadata';
  if (differ !== 'none' && differ !== 'metadata')
    throw invalidArgument(`local source: unknown local.differ ${JSON.stringify(differ)}`);
  const sessionId = attrs['local.session'] ?? attrs['local.sessionid'];
  return {
    name,
    sessionId: sessionId === '' ? undefined : sessionId,
    unique: attrs['local.unique'] !== undefined && attrs['local.unique'] !== '',
    sharedKeyHint: attrs['local.sharedkeyhint'] ?? '',
    includePatterns: list(attrs, 'local.includepattern'),
    excludePatterns: list(attrs, 'local.excludepatterns'),
    followPaths: list(attrs, 'local.followpaths'),
    differ,
  };
}

/**
 * The source's key. What a client has now is nobody's key: by its `session:` it becomes `random:`, which is never exported, and consumers
 * match by content.
 */
export function localSourceKey(source: LocalSource, sessionId: string): string {
  const { name, includePatterns, excludePatterns, followPaths, differ } = source;
  return `session:${name}:${digestOf(JSON.stringify({ sessionId, includePatterns, excludePatterns, followPaths, differ }))}`;
}

/** Under this name the last state of the directory is found again, to receive only what changed. */
export function sharedKeyOf(source: LocalSource, session: { readonly id: string; readonly sharedKey: string }): string {
  const { name, sharedKeyHint, includePatterns, excludePatterns, followPaths, unique } = source;
  return digestOf(
    JSON.stringify({
      name,
      hint: sharedKeyHint,
      client: session.sharedKey,
      ...(unique ? { session: session.id } : {}),
      includePatterns,
      excludePatterns,
      followPaths,
    }),
  );
}

function list(attrs: Readonly<Record<string, string>>, key: string): readonly string[] {
  const text = attrs[key];
  if (text === undefined || text === '') return [];
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  } catch {
    // Told below.
  }
  throw invalidArgument(`local source: ${key} is no JSON list of strings`);
}
