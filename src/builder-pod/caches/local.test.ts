import { expect, test } from 'vitest';
import { CodedError, type Digest, digestOf, neverAborted } from '../../base/index.ts';
import { ExportOptions } from '../exporters/index.ts';
import { localCaches } from './local.ts';
import { CacheStores } from './stores.ts';

const bytes = Buffer.from('layer');
const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };

/** Content stores of clients by their sessions: one that has the blob, one that has not, one that fails. */
const CLIENTS: Readonly<Record<string, () => Promise<boolean>>> = {
  has: async () => true,
  lacks: async () => false,
  fails: async () => {
    throw new CodedError('unavailable', 'the client hung up');
  },
};

async function opened(sessions: readonly string[]): Promise<string> {
  const type = localCaches({
    clientContent: async ([session]) => ({
      has: CLIENTS[session!]!,
      size: async (_digest: Digest) => bytes.length,
      open: async () => ReadableStream.from([bytes]),
      write: async () => expect.unreachable(),
    }),
    stores: new CacheStores(),
    pool: expect.anything() as never,
  });
  const options = new ExportOptions('local cache', { src: 'cache', digest: descriptor.digest });
  const store = type.store(options, { as: 'importer', direct: true })(() => sessions);
  const stream = await store.openBlob(descriptor, { signal: neverAborted, sessions: () => sessions });
  return Buffer.concat(await Array.fromAsync(stream)).toString();
}

test('a blob is had from whichever client has it, whatever becomes of the others', async () => {
  for (const sessions of [['has'], ['lacks', 'has'], ['fails', 'has'], ['lacks', 'fails', 'has']])
    expect(await opened(sessions)).toBe('layer');
});

test('a blob that no client has is gone; one that could not be asked for is not said to be', async () => {
  await expect(opened(['lacks', 'lacks'])).rejects.toMatchObject({ reason: 'REF_CONTENT_GONE' });
  await expect(opened(['fails', 'lacks'])).rejects.toMatchObject({ code: 'unavailable' });
});
