import { expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { ExportOptions } from '../exporters/index.ts';
import { fakeContext } from '../exporters/testing/fakes.ts';
import { storeOpener } from './secret-attributes.ts';
import type { CacheStore, CacheType } from './store.ts';

const access = { signal: neverAborted, sessions: () => ['s'] };

/** A type whose stores are called by what they were opened with. */
const told: CacheType = {
  type: 'told',
  exporting: '',
  optional: ['other'],
  store: (options) => {
    const [key, other] = ['key', 'other'].map((name) => options.text(name));
    if (key === undefined) throw new Error('no key');
    return () => ({ name: `${key} ${other}` }) as CacheStore;
  },
};

const secrets = new Map([
  ['id', 'value\n'],
  ['none', ''],
  ['line', '\r\n'],
]);
const secret = async (id: string) => {
  const found = secrets.get(id);
  return found === undefined ? undefined : Buffer.from(found);
};
const opening = (attrs: Record<string, string>) => {
  const options = new ExportOptions('told cache', attrs);
  return { options, open: storeOpener(told, options, { as: 'importer', direct: true }, { secret }) };
};

test('a value may be a secret of the client, asked for when the cache is opened; one that may be left out is none where it is empty', async () => {
  const { options, open } = opening({ 'secret.key': 'id', 'secret.other': 'none', typo: 'x' });
  expect((await open(access)).name).toBe('value undefined');
  const warned: string[] = [];
  const { progress } = fakeContext();
  options.tellUnused({ progress: { ...progress, warn: ({ short }) => void warned.push(short) } });
  expect(warned).toEqual(['option typo of the told cache output is not known, so it does nothing']);
});

test('one that is not there is named, and nothing of its value ever is', async () => {
  await expect(opening({ 'secret.key': 'gone' }).open(access)).rejects.toThrow(
    'key of the told cache, secret gone: not found',
  );
});

test.each(['none', 'line'])('one that is needed and empty (%s) is not taken for none', async (id) => {
  await expect(opening({ 'secret.key': id, key: 'other' }).open(access)).rejects.toMatchObject({
    ...{ reason: 'SECRET_MISSING', message: `key of the told cache, secret ${id}: is empty` },
  });
});

test('without secrets the attributes are checked at once', async () => {
  expect(() => opening({})).toThrow('no key');
  expect((await opening({ key: 'k' }).open(access)).name).toBe('k undefined');
});
