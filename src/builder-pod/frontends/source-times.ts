import { CodedError } from '../../base/index.ts';
import type { FrontendRef } from '../../dockerfile/index.ts';
import { decompress } from '../../oci/compression/index.ts';
import { TarReader } from '../../oci/tar/index.ts';
import type { BridgeSourceMeta } from './bridge.ts';

const PIECE = 4 << 20;

/** When a source says that its content was made, in seconds since the epoch: of a commit, when it was committed. */
export function timeOf({ git, http }: BridgeSourceMeta): number | undefined {
  if (git?.commitObject !== undefined) {
    const [head = ''] = Buffer.from(git.commitObject).toString('latin1').split('\n\n', 1);
    const seconds = /^committer .* (-?\d{1,12}) [+-]\d{4}$/m.exec(head)?.[1];
    return seconds === undefined ? undefined : Number(seconds);
  }
  return http?.lastModified === undefined ? undefined : Math.floor(http.lastModified / 1000);
}

/** The newest time of the regular files in an archive, in seconds; undefined for what is none. */
export async function newestInArchive(
  { readFile, statFile }: Pick<FrontendRef, 'readFile' | 'statFile'>,
  path: string,
  call: Parameters<FrontendRef['statFile']>[1],
): Promise<number | undefined> {
  const { size } = await statFile(path, call);
  let newest: bigint | undefined;
  const reader = new TarReader({
    entry: ({ type, mtime }) => {
      if (type === 'file' && (newest === undefined || mtime > newest)) newest = mtime;
    },
  });
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let offset = 0; offset < size; offset += PIECE)
      yield await readFile(path, { offset, length: Math.min(PIECE, size - offset) }, call);
  }
  try {
    for await (const chunk of decompress(pieces())) {
      call.signal.throwIfAborted();
      reader.push(chunk);
      if (reader.ended) break;
    }
    reader.close();
  } catch (error) {
    call.signal.throwIfAborted();
    if (error instanceof CodedError && ['invalid_argument', 'unimplemented'].includes(error.code)) return undefined;
    throw error;
  }
  return newest === undefined ? undefined : Number(newest / 1_000_000_000n);
}
