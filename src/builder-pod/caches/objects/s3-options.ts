import { SECRET_ATTRIBUTE } from '../../engine/index.ts';
import type { ExportOptions } from '../../exporters/index.ts';
import { durationOf, isHttpUrl, namesOf, positiveInteger, wrongAttribute } from './attributes.ts';
import type { ObjectStoreOptions, S3Config } from './config.ts';

const DAY_MS = 86_400_000;
const MAX_PARALLEL = 64;
const MAX_ATTEMPTS = 100;
const KEYS = ['access_key_id', 'secret_access_key', 'session_token'];

/** A cache in a bucket. @throws CodedError CACHE_ATTRIBUTE */
export function s3Options(
  options: ExportOptions,
  env: Readonly<Record<string, string | undefined>>,
): ObjectStoreOptions {
  const required = (key: string, variable: string) => {
    const value = options.text(key) ?? env[variable];
    if (value !== undefined && value !== '') return value;
    throw wrongAttribute(`${key} ($${variable}) not set for s3 cache`, `add ${key}=<${key}>`);
  };
  const bucket = required('bucket', 'AWS_BUCKET');
  const region = required('region', 'AWS_REGION');
  const prefix = options.text('prefix') ?? '';
  const names = namesOf(options);
  const endpoint = options.text('endpoint_url') || undefined;
  if (endpoint !== undefined && !isHttpUrl(endpoint))
    throw wrongAttribute(`endpoint_url ${JSON.stringify(endpoint)} of the s3 cache is no URL`);
  const pathStyle = options.boolean('use_path_style', false, { empty: false });
  const parallel = positiveInteger(options.text('upload_parallelism') ?? '4', 'upload_parallelism');
  const retryMode = options.text('retry_mode');
  if (retryMode !== undefined && retryMode !== 'standard' && retryMode !== 'adaptive')
    throw wrongAttribute('retry_mode must be "standard" or "adaptive"');
  const attempts = options.text('retry_max_attempts');
  // It asks not to sign a header that is not sent here.
  options.boolean('disable_accept_encoding', false, { empty: false });
  const accessKeyId = options.text('access_key_id') ?? '';
  const secretAccessKey = options.text('secret_access_key') ?? '';
  const sessionToken = options.text('session_token') || undefined;
  const hasKeys = accessKeyId !== '' && secretAccessKey !== '';
  // Whoever gives a part of them does not mean the builder's own.
  if (!hasKeys && KEYS.some((name) => options.text(name) || options.below(SECRET_ATTRIBUTE + name).length > 0))
    throw wrongAttribute(
      'the keys of the s3 cache are not whole',
      'give both access_key_id and secret_access_key, or neither, and no session_token then',
    );
  const config: S3Config = {
    ...{ type: 's3', bucket, region, names, endpoint, retryMode },
    pathStyle: endpoint !== undefined && pathStyle,
    manifests: prefix + (options.text('manifests_prefix') ?? 'manifests/'),
    blobs: prefix + (options.text('blobs_prefix') ?? 'blobs/'),
    // What is no duration counts as none given, as with other builders.
    touchRefreshMs: durationOf(options.text('touch_refresh') ?? '') ?? DAY_MS,
    credentials: hasKeys ? { accessKeyId, secretAccessKey, sessionToken } : undefined,
    retryAttempts:
      attempts === undefined ? undefined : Math.min(MAX_ATTEMPTS, positiveInteger(attempts, 'retry_max_attempts')),
  };
  return {
    config,
    name: `s3://${bucket}/${config.manifests}${names[0]}`,
    host: endpoint === undefined ? `${bucket}.s3.${region}` : new URL(endpoint).host,
    parallel: Math.min(parallel, MAX_PARALLEL),
    asBuilder: hasKeys
      ? undefined
      : {
          to: endpoint === undefined ? `s3://${bucket}` : `${new URL(endpoint).origin}/${bucket}`,
          // As with a BuildKit of one's own.
          direct: true,
        },
  };
}
