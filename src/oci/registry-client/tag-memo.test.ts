import { expect, test } from 'vitest';
import { CodedError, type Descriptor, digestOf, neverAborted } from '../../base/index.ts';
import { TagMemo } from './tag-memo.ts';

const image = (name: string): Descriptor => ({ mediaType: 'application/json', digest: digestOf(name), size: 1 });

/** A registry of one tag, which can be private and can be moved. */
class Registry {
  asked = 0;
  now = 0;
  image = image('old');
  isPrivate = false;
  readonly memo = new TagMemo(30_000, () => this.now);

  async resolve(who = 'anonymous', { fresh = false, answer = async () => {} } = {}): Promise<Descriptor> {
    return await this.memo.resolve('r.example/app:latest', {
      signal: neverAborted,
      fresh,
      identity: async () => who,
      ask: async () => {
        this.asked++;
        const descriptor = this.image;
        await answer();
        return { descriptor, isPrivate: this.isPrivate };
      },
    });
  }
}

test('a tag is asked for once in the set time, and again after it', async () => {
  const registry = new Registry();
  await registry.resolve();
  registry.image = image('new');
  registry.now = 29_999;
  expect(await registry.resolve('another')).toEqual(image('old'));
  expect(registry.asked).toBe(1);
  registry.now = 30_000;
  expect(await registry.resolve()).toEqual(image('new'));
  expect(registry.asked).toBe(2);
});

test('who wants to know how it is now asks, and others then know it too', async () => {
  const registry = new Registry();
  await registry.resolve();
  registry.image = image('new');
  expect(await registry.resolve('a', { fresh: true })).toEqual(image('new'));
  expect(await registry.resolve()).toEqual(image('new'));
  expect(registry.asked).toBe(2);
});

test('what was answered to somebody is for those alone who show the same', async () => {
  const registry = new Registry();
  registry.isPrivate = true;
  await registry.resolve('alice');
  await registry.resolve('alice');
  expect(registry.asked).toBe(1);
  await registry.resolve('mallory');
  expect(registry.asked).toBe(2);
});

test('fifty at once ask once; of those who are refused each hears it by himself', async () => {
  const registry = new Registry();
  await Promise.all(Array.from({ length: 50 }, () => registry.resolve()));
  expect(registry.asked).toBe(1);
  registry.now = 60_000;
  const refuse = async () => {
    throw new CodedError('not_found', 'no such image');
  };
  const refused = await Promise.allSettled(
    Array.from({ length: 5 }, (_, n) => registry.resolve(`${n}`, { answer: refuse })),
  );
  expect(refused.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
  expect(registry.asked).toBe(6);
});

test('a tag that is written while it is asked for is asked for again', async () => {
  const registry = new Registry();
  const { promise, resolve } = Promise.withResolvers<void>();
  const early = registry.resolve('a', { answer: () => promise });
  await expect.poll(() => registry.asked).toBe(1);
  registry.image = image('new');
  registry.memo.forget('r.example/app:latest');
  resolve();
  expect(await early).toEqual(image('old'));
  expect(await registry.resolve()).toEqual(image('new'));
});

test('who cannot say who he is gets his answer, and leaves none', async () => {
  const registry = new Registry();
  registry.isPrivate = true;
  const nobody = registry.memo.resolve('r.example/app:latest', {
    signal: neverAborted,
    fresh: false,
    identity: async () => {
      throw new CodedError('unavailable', 'the client is gone');
    },
    ask: async () => ({ descriptor: image('old'), isPrivate: true }),
  });
  expect(await nobody).toEqual(image('old'));
  await registry.resolve('alice');
  expect(registry.asked).toBe(1);
});

test('with no time set each asks', async () => {
  const memo = new TagMemo(0);
  let asked = 0;
  const ask = async () => ({ descriptor: image(`${++asked}`), isPrivate: false });
  const asker = { signal: neverAborted, fresh: false, identity: async () => '', ask };
  await memo.resolve('x', asker);
  expect(await memo.resolve('x', asker)).toEqual(image('2'));
});
