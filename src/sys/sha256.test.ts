import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { Sha256 } from './sha256.ts';

const hex = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test.each([
  ['alone', true],
  ['beside', false],
])('the digest of what comes in parts of any size, %s, whose memory is used again once it is given back', async (_, alone) => {
  const all = randomBytes(9_000_000);
  for (const size of [0, 5000, 70_000, 1 << 20, all.length]) {
    using hash = new Sha256(() => alone);
    const idle: Buffer[] = [];
    let at = 0;
    for (let turn = 0; at < all.length; turn++) {
      // Small ones in between.
      const length = size === 0 ? all.length : turn % 3 === 2 ? turn % 5 : size;
      const memory = idle.pop() ?? Buffer.alloc(length);
      const part = memory.subarray(0, all.copy(memory, 0, at, at + length));
      at += part.length;
      hash.update(part, () => {
        memory.fill(0);
        if (memory.length === size) idle.push(memory);
      });
      await hash.room();
    }
    expect(await hash.digest()).toBe(hex(all));
  }
  using empty = new Sha256(() => alone);
  expect(await empty.digest()).toBe(hex(Buffer.alloc(0)));
});

test('one that is given up in the middle takes nothing with it', async () => {
  const bytes = randomBytes(1 << 20);
  for (let n = 0; n < 20; n++) {
    using hash = new Sha256();
    for (let part = 0; part <= n % 3; part++) hash.update(bytes);
  }
  using other = new Sha256();
  other.update(bytes);
  expect(await other.digest()).toBe(hex(bytes));
});
