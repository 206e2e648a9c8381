import type { Readable } from 'node:stream';
import type { AbortOptions, Digest } from '../../../base/index.ts';
import type { BlobHost } from '../../../oci/blob-download/index.ts';

export interface ObjectBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** A store of objects, in the thread that talks to it. Failures are CodedErrors, as those of `CacheStore` are. */
export interface ObjectClient {
  /** What lies under the cache's names; none where nothing does. @throws CodedError for more than `maxBytes` of one */
  readIndexes(options: AbortOptions & { readonly maxBytes: number }): Promise<readonly Uint8Array[]>;
  writeIndex(bytes: Uint8Array, options: AbortOptions): Promise<void>;
  /** Whether the blob is there; one that is then stays for a while. */
  keepBlob(blob: ObjectBlob, options: AbortOptions): Promise<boolean>;
  putBlob(blob: ObjectBlob, content: Readable, options: AbortOptions): Promise<void>;
  /** Where it is read from; a blob that is not there fails as REF_CONTENT_GONE. */
  blobHost(blob: ObjectBlob): BlobHost;
}
