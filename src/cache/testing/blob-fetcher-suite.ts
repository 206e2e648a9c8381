import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Descriptor, digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import type { BlobFetcher, BlobPlace, RefOptions } from '../ports.ts';
import { pullLoss } from '../refs/fetching.ts';

/** A place with one blob, of several chunks, and who reads from places of its kind. */
interface FetcherWorld<P extends BlobPlace> extends AsyncDisposable {
  readonly fetcher: BlobFetcher<P>;
  readonly place: P;
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  /** One of the same kind that is not there. */
  readonly nowhere: P;
}

/** What every {@link BlobFetcher} holds to. */
export function blobFetcherSuite<P extends BlobPlace>(name: string, open: () => Promise<FetcherWorld<P>>): void {
  describe(`blob fetcher: ${name}`, () => {
    let world: FetcherWorld<P>;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const optionsOf = (signal = neverAborted): RefOptions => ({ signal, owner: HOUSE, sessions: () => ['s'] });
    const read = async (place: P, descriptor: Descriptor) =>
      Buffer.concat(await Array.fromAsync(await world.fetcher.open(place, descriptor, optionsOf())));
    const lossOf = (place: P, descriptor: Descriptor) => read(place, descriptor).then(() => 'given', pullLoss);

    test('gives the blob whole, as often as it is asked', async () => {
      const { place, descriptor, bytes } = world;
      for (let n = 0; n < 2; n++) expect((await read(place, descriptor)).equals(bytes)).toBe(true);
    });

    test('a place means the same when it was written down, and says who is asked', async () => {
      const { fetcher, place, descriptor, bytes } = world;
      if (!fetcher.lasting) return;
      const again = JSON.parse(JSON.stringify(place)) as P;
      expect((await read(again, descriptor)).equals(bytes)).toBe(true);
      expect(fetcher.host(again)).toBe(fetcher.host(place));
      expect(fetcher.host(place)).not.toBe('');
    });

    test('tells what a place does not have from a place that is not there: only the first is gone for all', async () => {
      const { place, nowhere, descriptor } = world;
      const missing = { ...descriptor, digest: digestOf('missing') };
      expect(await lossOf(place, missing)).toBe('gone');
      expect(['refused', 'unavailable']).toContain(await lossOf(nowhere, descriptor));
    });

    test('gives nothing to who has gone, and nothing more to who goes', async () => {
      const { fetcher, place, descriptor, bytes } = world;
      const gone = optionsOf(AbortSignal.abort(new Error('enough')));
      await expect(fetcher.open(place, descriptor, gone)).rejects.toThrow('enough');
      const controller = new AbortController();
      const stream = await fetcher.open(place, descriptor, optionsOf(controller.signal));
      controller.abort(new Error('enough'));
      await expect(Array.fromAsync(stream)).rejects.toThrow();
      expect((await read(place, descriptor)).equals(bytes)).toBe(true);
    });

    test('who has read enough says so, and may come again', async () => {
      const { fetcher, place, descriptor, bytes } = world;
      for (let n = 0; n < 3; n++) {
        const reader = (await fetcher.open(place, descriptor, optionsOf())).getReader();
        expect((await reader.read()).done).toBe(false);
        await reader.cancel();
      }
      expect((await read(place, descriptor)).equals(bytes)).toBe(true);
    });
  });
}
