import { posix } from 'node:path';
import type { ExportOptions } from '../../exporters/index.ts';
import { isHttpUrl, namesOf, wrongAttribute } from './attributes.ts';
import type { ObjectStoreOptions } from './config.ts';

const PARALLEL = 4;
const VARIABLE = 'BUILDKIT_AZURE_STORAGE_';
const CONTAINER = /^(?:\$root|\$web|(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*)$/;

/** A cache in a container of Azure Blob Storage. @throws CodedError CACHE_ATTRIBUTE */
export function azureOptions(
  options: ExportOptions,
  env: Readonly<Record<string, string | undefined>>,
): ObjectStoreOptions {
  const given = (key: string) => options.text(key) ?? env[VARIABLE + key.toUpperCase()];
  const accountUrl = given('account_url') ?? '';
  if (accountUrl === '')
    throw wrongAttribute(
      `either \${${VARIABLE}ACCOUNT_URL} or account_url attribute is required for azblob cache`,
      'add account_url=https://<account>.blob.core.windows.net',
    );
  if (!isHttpUrl(accountUrl)) throw wrongAttribute('azure storage account url provided is not a valid url');
  const accountName = given('account_name') ?? new URL(accountUrl).hostname.split('.')[0] ?? '';
  if (accountName === '')
    throw wrongAttribute(
      `unable to retrieve account name from account url or \${${VARIABLE}ACCOUNT_NAME} or account_name attribute for azblob cache`,
    );
  const container = given('container') ?? 'buildkit-cache';
  if (!CONTAINER.test(container))
    throw wrongAttribute(
      `container ${JSON.stringify(container)} of the azblob cache is no name of a container`,
      'write 3 to 63 small letters, digits and single hyphens',
    );
  const prefix = given('prefix') ?? '';
  const keyOf = (below: string, name: string) => {
    const key = posix.join(prefix, below, name).replace(/\/$/, '');
    if (!/^(?:\.|\.\.|\.\.\/.*|)$/.test(key)) return key;
    throw wrongAttribute(`${JSON.stringify(key)} is no name of a blob in the container`);
  };
  const manifests = options.text('manifests_prefix') ?? 'manifests';
  const blobs = posix.dirname(keyOf(options.text('blobs_prefix') ?? 'blobs', 'digest'));
  const indexes = namesOf(options).map((name) => keyOf(manifests, name));
  const accountKey = options.text('secret_access_key') || undefined;
  if (accountKey !== undefined && !/^[A-Za-z0-9+/]+={0,2}$/.test(accountKey))
    throw wrongAttribute('failed to create shared key: secret_access_key of the azblob cache is not base64');
  const { origin, host, searchParams } = new URL(accountUrl);
  return {
    config: { type: 'azblob', accountUrl, accountName, container, indexes, blobs, accountKey },
    name: `azblob://${accountName}/${container}/${indexes[0]}`,
    host,
    parallel: PARALLEL,
    asBuilder:
      accountKey !== undefined || searchParams.has('sig')
        ? undefined
        : // The token goes there as it is: it is for none but the builder's own account.
          { to: origin, direct: origin === URL.parse(env[`${VARIABLE}ACCOUNT_URL`] ?? '')?.origin },
  };
}
