import { expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { ExportOptions } from './attributes.ts';
import { checkSignable, signingOptions } from './sign.ts';

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

test('an attestation that no log takes is found before anything is pushed', () => {
  const descriptor = { mediaType: 'application/vnd.in-toto+json', digest: digestOf(''), size: 33 << 20 };
  const statements = [{ subject: digestOf('image'), predicateType: 'large', descriptor, bytes: undefined }];
  const [logged, unlogged] = [signing({ 'sign-key': 'k', 'sign-tlog': 'true' })!, signing({ 'sign-key': 'k' })!];
  expect(() => checkSignable({ statements }, logged)).toThrow(
    expect.objectContaining({
      reason: 'EXPORT_ATTESTATION',
      message: expect.stringMatching(/large has 34603008 bytes/) as string,
    }),
  );
  checkSignable({ statements }, unlogged);
});
