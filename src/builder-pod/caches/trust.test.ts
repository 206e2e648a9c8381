import { expect, test } from 'vitest';
import { parseImageReference } from '../../base/index.ts';
import { ExportOptions } from '../exporters/index.ts';
import { cacheTrust, refuseTrust } from './trust.ts';

const reference = parseImageReference('registry.test/caches:app');
const trust = (attrs: Readonly<Record<string, string>>, use: 'importer' | 'exporter' = 'exporter') =>
  cacheTrust(reference, new ExportOptions('registry cache', attrs), use, {
    secret: async () => undefined,
    ...{ trusted: [], streams: undefined as never },
  });

test.each([
  ['verify-key', 'importer'],
  ['verify-key', 'exporter'],
  ['sign-key', 'exporter'],
  ['sign-key', 'importer'],
  ['sign-identity-token', 'exporter'],
  ['verify-identity', 'importer'],
  ['verify-issuer', 'exporter'],
  ['verify-trusted-root', 'importer'],
] as const)('an empty %s of what is opened by an %s is refused: it would demand nothing', (name, use) => {
  expect(() => trust({ [name]: '' }, use)).toThrow(
    expect.objectContaining({ reason: 'CACHE_ATTRIBUTE', message: `${name} is empty` }),
  );
  expect(() => refuseTrust('local', new ExportOptions('local cache', { [name]: '' }))).toThrow(`${name} is empty`);
});

test('a key may have no password, and who names no keys demands nothing', () => {
  expect(trust({ 'sign-key': 'k', 'sign-password': '' })).toMatchObject({
    ...{ check: expect.any(Function), sign: expect.any(Function) },
  });
  expect(trust({ 'sign-password': '' })).toEqual({ check: undefined, sign: undefined });
});

test('who is to have signed is named with who vouches for that, and by what root, or not at all', () => {
  const all = { 'verify-identity': 'a', 'verify-issuer': 'b', 'verify-trusted-root': 'c' };
  expect(trust(all, 'importer').check).toBeDefined();
  for (const name of Object.keys(all)) {
    const { [name as keyof typeof all]: _, ...rest } = all;
    expect(() => trust(rest, 'importer')).toThrow(/are given together, or none of them/);
  }
  expect(() => trust({ 'sign-identity-token': 't' }, 'importer')).toThrow('a cache that is read is not signed');
  expect(() => trust({ 'sign-identity-token': 't', 'sign-key': 'k' })).toThrow(/who signs\?/);
  expect(() => refuseTrust('local', new ExportOptions('local cache', all))).toThrow(/verify-identity is not possible/);
});
