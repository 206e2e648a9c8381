import { expect, test } from 'vitest';
import { DIRECT } from '../../../base/index.ts';
import { ExportOptions } from '../../exporters/index.ts';
import { CacheStores } from '../stores.ts';
import { azureOptions } from './azblob-options.ts';
import { s3Options } from './s3-options.ts';
import { objectCaches } from './store.ts';

const bucket = { bucket: 'b', region: 'r' };
const elsewhere = { ...bucket, endpoint_url: 'https://minio.test:9000' };
const ours = 'https://ours.blob.core.windows.net';
const url = { account_url: 'https://any.test' };

/** What a store's attributes are answered with, by whom they are given. */
function asked(attrs: Readonly<Record<string, string>>, direct: boolean, allowed: readonly string[] = []) {
  const azure = 'account_url' in attrs;
  const type = azure ? 'azblob' : 's3';
  const caches = objectCaches(
    { type, exporting: '', optionsOf: azure ? azureOptions : s3Options },
    {
      ...{ streams: undefined as never, pool: undefined as never, stores: new CacheStores(), proxies: DIRECT },
      ...{ env: { BUILDKIT_AZURE_STORAGE_ACCOUNT_URL: `${ours}/` }, ownIdentity: new Set(allowed) },
    },
  );
  caches.store(new ExportOptions(`${type} cache`, attrs), { as: 'importer', direct });
}

test.each([
  ['a bucket, by a client of a builder that stands alone', bucket, true],
  ['a bucket elsewhere, by such a client', elsewhere, true],
  ['a bucket that the configuration names', bucket, false, ['s3://b']],
  ['one elsewhere that it names', elsewhere, false, ['https://minio.test:9000/b']],
  ['the builder’s own account, by such a client', { account_url: `${ours}?x=1` }, true],
  ['an account that the configuration names', url, false, ['https://any.test']],
  ['any bucket, with keys', { ...elsewhere, access_key_id: 'k', secret_access_key: 's' }, false],
  ['any account, with its key', { ...url, secret_access_key: 'a2V5' }, false],
  ['any account, with a signature', { account_url: 'https://any.test/?sig=x' }, false],
] as const)('without any other right: %s', (_what, attrs, direct, allowed: readonly string[] = []) => {
  expect(() => asked(attrs, direct, allowed)).not.toThrow();
});

test.each([
  ['a bucket, by a tenant', bucket, false, [], 's3://b'],
  ['another bucket than the one that is named', { ...bucket, bucket: 'c' }, false, ['s3://b'], 's3://c'],
  ['a bucket of that name elsewhere', elsewhere, false, ['s3://b'], 'https://minio.test:9000/b'],
  ['the builder’s own account, by a tenant', { account_url: ours }, false, [], ours],
  ['any account, even by a client of a builder that stands alone', url, true, [], 'https://any.test'],
  [
    'the own account without TLS',
    { account_url: ours.replace('https', 'http') },
    true,
    [],
    ours.replace('https', 'http'),
  ],
  ['a host whose name begins as that of the own one', { account_url: `${ours}.test` }, true, [], `${ours}.test`],
  ['a host behind a user of that name', { account_url: `${ours}@evil.test` }, true, [ours], 'https://evil.test'],
  ['another port', { account_url: `${ours}:444` }, true, [ours], `${ours}:444`],
] as const)('the builder’s identity is shown to nobody else: %s', (_what, attrs, direct, allowed, to) => {
  const type = 'account_url' in attrs ? 'azblob' : 's3';
  expect(() => asked(attrs, direct, allowed)).toThrow(
    expect.objectContaining({
      reason: 'CACHE_ATTRIBUTE',
      message: `the ${type} cache has no key, and the builder does not show its own identity to ${to}`,
      hint: expect.stringMatching(/^give a key .*\[own-identity\]/),
    }),
  );
});
