import { Metadata } from '../grpc/metadata.ts';

/** What is asked of a client's directory (FileSync.DiffCopy). */
export interface DirectoryRequest {
  readonly name: string;
  readonly includePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  readonly followPaths: readonly string[];
}

const LISTS = [
  ['include-patterns', 'includePatterns'],
  ['exclude-patterns', 'excludePatterns'],
  ['followpaths', 'followPaths'],
] as const;

export function directoryMetadata(request: DirectoryRequest): Metadata {
  const metadata = new Metadata();
  addValues(metadata, 'dir-name', [request.name]);
  for (const [key, field] of LISTS) addValues(metadata, key, request[field]);
  return metadata;
}

export function readDirectoryMetadata(metadata: Metadata): DirectoryRequest {
  return {
    name: valuesOf(metadata, 'dir-name')[0] ?? '',
    includePatterns: valuesOf(metadata, 'include-patterns'),
    excludePatterns: valuesOf(metadata, 'exclude-patterns'),
    followPaths: valuesOf(metadata, 'followpaths'),
  };
}

function addValues(metadata: Metadata, key: string, values: readonly string[]): void {
  const encoded = values.some((value) => !/^[\x20-\x7e]*$/.test(value));
  if (encoded) metadata.add(`${key}-encoded`, '1');
  for (const value of values) metadata.add(key, encoded ? encodeURIComponent(value).replaceAll('%20', '+') : value);
}

function valuesOf(metadata: Metadata, key: string): readonly string[] {
  const values = metadata.getAll(key);
  if (metadata.get(`${key}-encoded`) !== '1') return values;
  return values.map((value) => decodeURIComponent(value.replaceAll('+', ' ')));
}
