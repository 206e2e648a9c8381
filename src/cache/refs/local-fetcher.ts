import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, digestAlgorithm, digestHex } from '../../base/index.ts';
import { fileStream } from '../../sys/index.ts';
import type { BlobFetcher, BlobPlace } from '../ports.ts';

/** Reads blobs of OCI layouts on this machine. */
export function localFetcher(): BlobFetcher<Extract<BlobPlace, { kind: 'local' }>> {
  return {
    lasting: true,
    host: ({ directory }) => directory,
    open: async ({ directory }, { digest, size }, { signal }) => {
      signal.throwIfAborted();
      const blobs = join(directory, 'blobs');
      const path = join(blobs, digestAlgorithm(digest), digestHex(digest));
      const found = statSync(path, { throwIfNoEntry: false });
      if (found === undefined)
        throw missing(digest, directory, statSync(blobs, { throwIfNoEntry: false }) !== undefined);
      if (!found.isFile() || found.size !== size)
        throw new CodedError(
          'data_loss',
          `blob ${digest} of ${directory} has not the ${size} bytes that it is said to have`,
        );
      return fileStream(path, { signal });
    },
  };
}

/** A layout that is not there at all may come back. */
function missing(digest: string, directory: string, isLayout: boolean): CodedError {
  return isLayout
    ? CodedError.of('REF_CONTENT_GONE', `blob ${digest} is not in ${directory}`)
    : new CodedError('unavailable', `there is no OCI layout in ${directory}`);
}
