import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SolvePlan } from '../../plan/index.ts';
import { resolveSecrets } from './secrets.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-secrets-'));
const file = (name: string) => join(folder, name);
beforeAll(() => {
  for (const name of ['cosign.key', 'cosign.pub', 'other.pub']) writeFileSync(file(name), name);
});
afterAll(() => rmSync(folder, { recursive: true }));

const cacheKey = (secret: string, key: string, rest: object) => ({
  ...{ id: `${secret}/${key}`, secretRef: { name: secret, key }, field: 'spec.cache', ...rest },
});
const SIGNED: SolvePlan['cacheSecrets'] = [
  cacheKey('signing', 'cosign.key', { flag: 'cache-sign-key' }),
  cacheKey('signing', 'cosign.password', { env: 'COSIGN_PASSWORD', optional: true }),
  cacheKey('team', 'cosign.pub', { flag: 'cache-verify-key' }),
];
const resolve = (cacheSecrets: SolvePlan['cacheSecrets'], ...rest: SkipFirst<Parameters<typeof resolveSecrets>>) => {
  const values = resolveSecrets({ secrets: [], gitAuth: [], ssh: [], cacheSecrets }, ...rest);
  return Object.fromEntries([...values].map(([id, value]) => [id, Buffer.from(value).toString()]));
};
type SkipFirst<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never;

test('keys of caches come from the files that their flags name, a password from the environment', () => {
  const keys = { 'cache-sign-key': file('cosign.key'), 'cache-verify-key': file('cosign.pub') };
  expect(resolve(SIGNED, [], { COSIGN_PASSWORD: 'sesame' }, keys)).toEqual({
    ...{ 'signing/cosign.key': 'cosign.key', 'signing/cosign.password': 'sesame', 'team/cosign.pub': 'cosign.pub' },
  });
  // A flag for the one Secret is more than one for all.
  const own = [{ id: 'team/cosign.pub', from: { file: file('other.pub') } }];
  expect(resolve(SIGNED, own, {}, keys)).toMatchObject({ 'team/cosign.pub': 'other.pub' });
});

test('each key that is missing is named with its flag, and so is a flag that nothing asks for', () => {
  const sign = { 'cache-sign-key': file('cosign.key') };
  expect(() => resolve(SIGNED, [], {}, sign)).toThrow(
    expect.objectContaining({
      message: 'no value for cosign.pub for spec.cache (Secret team on a cluster)',
      hint: 'give it with --cache-verify-key FILE; or for each --secret id=SECRET/KEY,src=FILE',
    }),
  );
  expect(() => resolve([], [], {}, sign)).toThrow(/--cache-sign-key: the manifest has no spec\.cache\.to\[\]\.sign/);
  expect(() => resolve(SIGNED, [], {}, { ...sign, 'cache-verify-key': file('none') })).toThrow(/cannot be read/);
});
