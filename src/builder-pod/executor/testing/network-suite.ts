import { describe, expect, test } from 'vitest';
import { neverAborted } from '../../../base/index.ts';
import type { NetworkProvider } from '../network.ts';

/** What every {@link NetworkProvider} holds to. */
export function networkSuite(name: string, open: () => NetworkProvider): void {
  describe(`network: ${name}`, () => {
    const options = { signal: neverAborted };

    test('gives each container its own, which ends by itself alone', async () => {
      const provider = open();
      const one = await provider.acquire({ id: 'one' }, options);
      await using two = await provider.acquire({ id: 'two' }, options);
      const { access } = two;
      await one[Symbol.asyncDispose]();
      expect(two.access).toEqual(access);
      await using again = await provider.acquire({ id: 'one' }, options);
      const { rawSockets, vsock } = access;
      expect(again.access).toMatchObject({ rawSockets, vsock });
    });

    test('says what it means for a container in plain data, and has a name', async () => {
      const provider = open();
      await using network = await provider.acquire({ id: 'one' }, options);
      expect(structuredClone(network.access)).toEqual(network.access);
      expect(provider.name).toMatch(/^[a-z]+$/);
    });

    test('begins nothing for who has gone', async () => {
      const gone = { signal: AbortSignal.abort(new Error('enough')) };
      await expect(open().acquire({ id: 'one' }, gone)).rejects.toThrow('enough');
    });
  });
}
