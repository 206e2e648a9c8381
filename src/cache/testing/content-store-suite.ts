import { describe, expect, test } from 'vitest';
import { type Digest, digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import type { ContentStore } from '../ports.ts';

const options = { signal: neverAborted, owner: HOUSE };

async function read(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* chunks(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

/** What every content store must do. `leftovers` counts temp files. */
export function contentStoreSuite(
  name: string,
  open: () => Promise<{ store: ContentStore; leftovers: () => number } & AsyncDisposable>,
): void {
  describe(`content store: ${name}`, () => {
    test('bytes taken are there under their digest, from any offset', async () => {
      await using opened = await open();
      const { store } = opened;
      const digest = digestOf('hello world');
      expect(await store.ingest(chunks('hello ', 'world'), {}, options)).toEqual({ digest, size: 11 });
      expect(store.has(digest)).toBe(true);
      expect(store.info(digest)).toEqual({ size: 11 });
      const descriptor = { mediaType: 'x', digest, size: 11 };
      expect((await read(await store.open(descriptor, options))).toString()).toBe('hello world');
      expect((await read(await store.open(descriptor, { ...options, offset: 6 }))).toString()).toBe('world');
      const listed: Digest[] = [];
      for await (const blob of store.list()) listed.push(blob.digest);
      expect(listed).toEqual([digest]);
      expect([...store.digests()]).toEqual([digest]);
      await store.remove(digest);
      await store.remove(digest);
      expect(store.has(digest)).toBe(false);
      expect(() => store.path(digest)).toThrow(expect.objectContaining({ code: 'not_found' }));
      await expect(store.open(descriptor, options)).rejects.toMatchObject({ code: 'not_found' });
    });

    test('streams, byte arrays and empty content', async () => {
      await using opened = await open();
      const { store } = opened;
      const big = Buffer.alloc(9_000_000, 'abc');
      const expected = { digest: digestOf(big), size: big.length };
      expect(await store.ingest(big, expected, options)).toEqual(expected);
      const stream = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(Buffer.from('once'));
          controller.close();
        },
      });
      expect((await store.ingest(stream, {}, options)).digest).toBe(digestOf('once'));
      expect((await store.ingest(new Uint8Array(), {}, options)).digest).toBe(digestOf(''));
      expect(opened.leftovers()).toBe(0);
    });

    test('other algorithms', async () => {
      await using opened = await open();
      const { hash } = await import('node:crypto');
      const digest: Digest = `sha512:${hash('sha512', 'x', 'hex')}`;
      expect(await opened.store.ingest(chunks('x'), { digest }, options)).toEqual({ digest, size: 1 });
      expect(opened.store.has(digest)).toBe(true);
    });

    test('a wrong digest or size commits nothing and leaves nothing', async () => {
      await using opened = await open();
      const { store } = opened;
      const digest = digestOf('right');
      await expect(store.ingest(chunks('wrong'), { digest }, options)).rejects.toMatchObject({
        code: 'data_loss',
        reason: 'CONTENT_DIGEST_MISMATCH',
      });
      for (const size of [4, 6]) {
        await expect(store.ingest(chunks('ri', 'ght'), { digest, size }, options)).rejects.toMatchObject({
          reason: 'CONTENT_SIZE_MISMATCH',
        });
      }
      expect(store.has(digest)).toBe(false);
      expect(store.has(digestOf('wrong'))).toBe(false);
      await expect.poll(() => opened.leftovers()).toBe(0);
    });

    test('a digest that is here is no reason to believe who names it; right bytes mend what lay here damaged', async () => {
      await using opened = await open();
      const { store } = opened;
      const digest = digestOf('right');
      await store.ingest(chunks('right'), { digest }, options);
      for (const lie of ['\0\0\0\0\0', 'righ', 'rights', ''])
        await expect(store.ingest(chunks(lie), { digest, size: 5 }, options)).rejects.toMatchObject({
          code: 'data_loss',
        });
      const descriptor = { mediaType: 'x', digest, size: 5 };
      expect((await read(await store.open(descriptor, options))).toString()).toBe('right');
      const { writeFileSync } = await import('node:fs');
      writeFileSync(store.path(digest), 'wrong');
      await store.ingest(chunks('ri', 'ght'), { digest, size: 5 }, options);
      expect((await read(await store.open(descriptor, options))).toString()).toBe('right');
      expect(await store.verify(digest, options)).toBe(true);
      await expect.poll(() => opened.leftovers()).toBe(0);
    });

    test('a source that fails, and an abort while it hangs, leave nothing', async () => {
      await using opened = await open();
      const { store } = opened;
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('part');
        throw new Error('connection cut');
      }
      await expect(store.ingest(failing(), {}, options)).rejects.toThrow('connection cut');
      const controller = new AbortController();
      let cancelled = false;
      const hanging = new ReadableStream<Uint8Array>({
        start: (c) => c.enqueue(Buffer.from('part')),
        cancel: () => {
          cancelled = true;
        },
      });
      const ingesting = store.ingest(hanging, {}, { signal: controller.signal });
      setTimeout(() => controller.abort(new Error('stop')), 20);
      await expect(ingesting).rejects.toThrow('stop');
      expect(cancelled).toBe(true);
      await expect.poll(() => opened.leftovers()).toBe(0);
      const listed = await Array.fromAsync(store.list());
      expect(listed).toEqual([]);
      expect([...store.digests()]).toEqual([]);
    });

    test('two writers of one digest are both right', async () => {
      await using opened = await open();
      const { store } = opened;
      const digest = digestOf('same');
      async function* slow(): AsyncGenerator<Uint8Array> {
        for (const byte of 'same') {
          yield Buffer.from(byte);
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      }
      const results = await Promise.all([store.ingest(slow(), { digest }, options), store.ingest(slow(), {}, options)]);
      expect(results.map((r) => r.digest)).toEqual([digest, digest]);
      expect(await store.ingest(slow(), { digest }, options)).toEqual({ digest, size: 4 });
      expect((await read(await store.open({ mediaType: 'x', digest, size: 4 }, options))).toString()).toBe('same');
      expect(opened.leftovers()).toBe(0);
    });

    test('a file a worker wrote is adopted, or disposed', async () => {
      await using opened = await open();
      const { store } = opened;
      const { writeFileSync } = await import('node:fs');
      const digest = digestOf('packed');
      {
        await using temp = await store.temp();
        writeFileSync(temp.path, 'packed');
        await expect(store.adopt(temp.path, digest, 7, options)).rejects.toMatchObject({
          reason: 'CONTENT_SIZE_MISMATCH',
        });
        await store.adopt(temp.path, digest, 6, options);
      }
      {
        await using temp = await store.temp();
        writeFileSync(temp.path, 'unwanted');
      }
      expect(store.info(digest)).toEqual({ size: 6 });
      expect(opened.leftovers()).toBe(0);
    });

    test('begins nothing for who has gone', async () => {
      await using opened = await open();
      const { store } = opened;
      const { writeFileSync } = await import('node:fs');
      const gone = { ...options, signal: AbortSignal.abort(new Error('enough')) };
      const [here, digest] = [await store.ingest(Buffer.from('here'), {}, options), digestOf('new')];
      await expect(store.open({ mediaType: 'x', ...here }, gone)).rejects.toThrow('enough');
      await expect(store.verify(here.digest, gone)).rejects.toThrow('enough');
      await expect(store.ingest(Buffer.from('new'), { digest }, gone)).rejects.toThrow('enough');
      {
        await using temp = await store.temp();
        writeFileSync(temp.path, 'new');
        await expect(store.adopt(temp.path, digest, 3, gone)).rejects.toThrow('enough');
      }
      expect(store.has(digest)).toBe(false);
      expect(opened.leftovers()).toBe(0);
    });

    test('names that are no digests reach no file', async () => {
      await using opened = await open();
      const evil = 'sha256:../../../../etc/passwd' as Digest;
      expect(() => opened.store.has(evil)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      await expect(opened.store.remove(evil)).rejects.toMatchObject({ code: 'invalid_argument' });
    });
  });
}
