import { expect, test } from 'vitest';
import { ExportOptions } from './attributes.ts';
import { signingOptions } from './sign.ts';

const signing = (attrs: Readonly<Record<string, string>>) => signingOptions(new ExportOptions('image', attrs), true);

test.each([
  'sign-key',
  'sign-identity-token',
])('who asks for a signature with nothing in %s gets no unsigned image', (name) => {
  expect(() => signing({ [name]: '' })).toThrow(`${name} is empty: nothing would be signed`);
  expect(() => signing({ 'sign-key': 'k', [name]: '' })).toThrow(`${name} is empty`);
});

test('a key may have no password, and who asks for no signature gets none', () => {
  expect(signing({ 'sign-key': 'k', 'sign-password': '' })?.by).toEqual({ kind: 'key', key: 'k', password: undefined });
  expect(signing({})).toBeUndefined();
});
