import { expect, test } from 'vitest';
import { parseImageReference } from '../../base/index.ts';
import { ExportOptions } from '../exporters/index.ts';
import { cacheTrust, refuseTrust } from './trust.ts';

const reference = parseImageReference('registry.test/caches:app');
const trust = (attrs: Readonly<Record<string, string>>, use: 'importer' | 'exporter' = 'exporter') =>
  cacheTrust(reference, new ExportOptions('registry cache', attrs), use, {
    secret: async () => undefined,
    trusted: [],
  });

test.each([
  ['verify-key', 'importer'],
  ['verify-key', 'exporter'],
  ['sign-key', 'exporter'],
  ['sign-key', 'importer'],
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
