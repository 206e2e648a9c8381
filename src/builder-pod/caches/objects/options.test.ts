import { expect, test } from 'vitest';
import { ExportOptions } from '../../exporters/index.ts';
import { ghaToken } from '../testing/gha-server.ts';
import { azureOptions } from './azblob-options.ts';
import { ghaOptions } from './gha-options.ts';
import { s3Options } from './s3-options.ts';

const s3 = (attrs: Record<string, string>, env = {}) => s3Options(new ExportOptions('s3 cache', attrs), env);
const gha = (attrs: Record<string, string>) => ghaOptions(new ExportOptions('gha cache', attrs));
const azure = (attrs: Record<string, string>, env = {}) => azureOptions(new ExportOptions('azblob cache', attrs), env);
const account = { account_url: 'https://account.blob.core.windows.net' };
const bucket = { bucket: 'b', region: 'r' };
const token = ghaToken();
const url = 'http://cache.example/';
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a bucket: keys of objects are put together as other builders do, names are many, the environment has defaults', () => {
  expect(s3(bucket)).toMatchObject({
    config: {
      manifests: 'manifests/',
      blobs: 'blobs/',
      names: ['buildkit'],
      pathStyle: false,
      touchRefreshMs: 86_400_000,
    },
    parallel: 4,
  });
  const { config, name } = s3(
    {
      name: 'a;b',
      prefix: 'p-',
      blobs_prefix: 'x',
      touch_refresh: '1h30m',
      secret_access_key: 's',
      access_key_id: 'k',
    },
    { AWS_BUCKET: 'b', AWS_REGION: 'r' },
  );
  expect(config).toMatchObject({ bucket: 'b', manifests: 'p-manifests/', blobs: 'p-x', names: ['a', 'b'] });
  expect(config).toMatchObject({ touchRefreshMs: 5_400_000, credentials: { accessKeyId: 'k', secretAccessKey: 's' } });
  expect(name).toBe('s3://b/p-manifests/a');
});

test.each([
  [{ region: 'r' }, 'bucket ($AWS_BUCKET) not set for s3 cache'],
  [{ bucket: 'b' }, 'region ($AWS_REGION) not set for s3 cache'],
  [{ ...bucket, upload_parallelism: '0' }, 'upload_parallelism must be a positive integer'],
  [{ ...bucket, retry_mode: 'never' }, 'retry_mode must be "standard" or "adaptive"'],
  [{ ...bucket, retry_max_attempts: 'x' }, 'retry_max_attempts must be a positive integer'],
  [{ ...bucket, endpoint_url: 'file:///x' }, 'no URL'],
  [{ ...bucket, access_key_id: 'k' }, 'the keys of the s3 cache are not whole'],
  [{ ...bucket, access_key_id: '', secret_access_key: 's' }, 'the keys of the s3 cache are not whole'],
  [{ ...bucket, session_token: 't' }, 'the keys of the s3 cache are not whole'],
  [{ ...bucket, 'secret.session_token': 'id' }, 'the keys of the s3 cache are not whole'],
])('a bucket named by %j is refused: %s', (attrs, message) => {
  expect(() => s3(attrs)).toThrow(message);
});

test('a container of Azure: keys are put together as paths, names are many, the environment has defaults', () => {
  expect(azure(account)).toMatchObject({
    config: {
      ...{ accountName: 'account', container: 'buildkit-cache', blobs: 'blobs', indexes: ['manifests/buildkit'] },
      accountKey: undefined,
    },
    name: 'azblob://account/buildkit-cache/manifests/buildkit',
  });
  const variables = { ACCOUNT_URL: 'http://h/e', ACCOUNT_NAME: 'e', CONTAINER: 'cont', PREFIX: 'pre/' };
  const env = Object.fromEntries(
    Object.entries(variables).map(([key, value]) => [`BUILDKIT_AZURE_STORAGE_${key}`, value]),
  );
  const attrs = { name: 'a;b', blobs_prefix: '/x/', manifests_prefix: '', secret_access_key: 'a2V5' };
  expect(azure(attrs, env).config).toEqual({
    ...{ type: 'azblob', accountUrl: 'http://h/e', accountName: 'e', container: 'cont', accountKey: 'a2V5' },
    ...{ blobs: 'pre/x', indexes: ['pre/a', 'pre/b'] },
  });
  expect(azure({ ...attrs, ...account, account_name: 'n', container: 'other', prefix: '' }, env).config).toMatchObject({
    ...{ accountUrl: account.account_url, accountName: 'n', container: 'other', blobs: '/x', indexes: ['a', 'b'] },
  });
  // What is signed is told to nobody.
  expect(azure({ account_url: `${account.account_url}?sv=1&sig=secret` }).name).not.toContain('secret');
});

test.each([
  [{}, 'BUILDKIT_AZURE_STORAGE_ACCOUNT_URL} or account_url attribute is required for azblob cache'],
  [{ account_url: 'blob.example' }, 'azure storage account url provided is not a valid url'],
  [{ ...account, account_name: '' }, 'unable to retrieve account name from account url'],
  [{ ...account, container: 'a/../b' }, 'container "a/../b" of the azblob cache is no name of a container'],
  [{ ...account, container: 'Upper' }, 'no name of a container'],
  [{ ...account, name: '../../other/x' }, 'is no name of a blob in the container'],
  [{ ...account, name: '', manifests_prefix: '' }, 'is no name of a blob in the container'],
  [{ ...account, blobs_prefix: '..' }, 'is no name of a blob in the container'],
  [{ ...account, secret_access_key: 'no base64!' }, 'failed to create shared key'],
])('a container of Azure named by %j is refused: %s', (attrs, message) => {
  expect(() => azure(attrs)).toThrow(message);
});

test('the actions cache: which API, and which scopes the token gives', () => {
  expect(gha({ token, url }).config).toMatchObject({ api: 1, url: 'http://cache.example', scope: 'buildkit' });
  expect(gha({ token, url, url_v2: `${url}v2/` }).config).toMatchObject({ api: 2, url: 'http://cache.example/v2' });
  expect(gha({ token, url, url_v2: `${url}v2/`, version: '1' }).config).toMatchObject({ api: 1 });
  expect(gha({ token, url, version: '2' }).config).toMatchObject({ api: 2 });
  expect(gha({ token, url, timeout: '30s' }).config).toMatchObject({
    ...{ timeoutMs: 30_000, readable: ['refs/heads/main'], writable: 'refs/heads/main' },
  });
});

test.each([
  [{ url }, 'token not set for github actions cache'],
  [{ token }, 'url not set for github actions cache'],
  [{ token, url, version: 'x' }, 'failed to parse api version "x", expected positive integer'],
  [{ token, url, timeout: 'soon' }, 'failed to parse timeout for github actions cache'],
  [{ token: 'secret', url }, 'malformed'],
  [{ token: `x.${part({ exp: 1 })}.x`, url }, 'invalid token without access controls'],
  [{ token: `x.${part({ ac: '[]' })}.x`, url }, 'invalid token without expiration time'],
  [{ token: `x.${part({ ac: '[]', exp: 1 })}.x`, url }, 'cache token expired at 1970-01-01T00:00:01.000Z'],
])('an actions cache of %j is refused: %s', (attrs, message) => {
  expect(() => gha(attrs)).toThrow(message);
  expect(() => gha(attrs)).not.toThrow('secret');
});
