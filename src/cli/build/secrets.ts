import { readFileSync, statSync } from 'node:fs';
import {
  invalidArgument,
  SIGNING_KEY_SECRET,
  SIGNING_PASSWORD_SECRET,
  SIGNING_TOKEN_SECRET,
} from '../../base/index.ts';
import type { SolvePlan } from '../../plan/index.ts';
import type { SecretFlag } from '../command-line.ts';

/** Longest value that the protocol carries. */
const MAX_SECRET = 500 * 1024;

/**
 * Values for the secrets that a Build names. On a cluster they come from Secrets; here each is given by a flag.
 * @throws CodedError invalid_argument that names every id without a value, and flags that nothing asks for.
 */
export function resolveSecrets(
  plan: Pick<SolvePlan, 'secrets' | 'cacheSecrets' | 'gitAuth' | 'ssh'>,
  flags: readonly SecretFlag[],
  env: Readonly<Record<string, string | undefined>>,
  files: CacheKeyFiles = {},
): ReadonlyMap<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  if (plan.ssh.length > 0)
    throw invalidArgument(`${plan.ssh.map(({ field }) => field).join(', ')}: only a cluster has the key`);
  // Of several repositories all get the same; on a cluster each host its own.
  const planned = [...plan.secrets, ...plan.gitAuth.slice(0, 1).map((git) => ({ ...git, id: 'GIT_AUTH_TOKEN' }))];
  const wanted = new Set(planned.map(({ id }) => id));
  const ofCaches = new Set(plan.cacheSecrets.map(({ secretRef }) => flagOf(secretRef)));
  for (const flag of flags) {
    if (!wanted.has(flag.id) && ofCaches.has(flag.id)) continue;
    if (!wanted.has(flag.id))
      throw invalidArgument(`--secret ${flag.id}: the manifest has no secret of this id in spec.secrets`);
    values.set(flag.id, secretValue(flag, env));
  }
  const missing = planned.filter(({ id }) => !values.has(id));
  if (missing.length > 0)
    throw invalidArgument(
      `no value for ${missing.map(({ id, secretRef }) => `secret ${id} (Secret ${secretRef.name} on a cluster)`).join(', ')}`,
      {
        hint: `give it with ${missing.map(({ id }) => `--secret id=${id},src=FILE`).join(' ')}`,
      },
    );
  for (const [id, value] of cacheValues(plan, flags, env, files)) values.set(id, value);
  return values;
}

/** Files that flags name with keys of caches. */
type CacheKeyFiles = Readonly<Partial<Record<'cache-sign-key' | 'cache-verify-key', string | undefined>>>;

/** Values for the Secrets of caches: of flags named `SECRET/KEY`, else of environment variables that have the names of the keys. @throws CodedError invalid_argument that names all that are missing */
function cacheValues(
  { cacheSecrets }: Pick<SolvePlan, 'cacheSecrets'>,
  flags: readonly SecretFlag[],
  env: Readonly<Record<string, string | undefined>>,
  files: CacheKeyFiles,
): ReadonlyMap<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  const missing: string[] = [];
  const hints = new Set<string>();
  for (const { id, secretRef, field, flag: fileFlag, env: variable, optional = false } of cacheSecrets) {
    const { name, key = '' } = secretRef;
    const flag = flags.find((one) => one.id === flagOf(secretRef));
    const file = fileFlag && files[fileFlag];
    const given = fileFlag === undefined ? env[variable ?? key] : undefined;
    if (flag !== undefined) values.set(id, secretValue(flag, env));
    else if (file !== undefined) values.set(id, fileValue(`--${fileFlag}`, file));
    else if (given || optional) values.set(id, Buffer.from(given ?? ''));
    else {
      missing.push(`${key} for ${field} (Secret ${name} on a cluster)`);
      hints.add(
        fileFlag === undefined ? 'set the environment variable of that name' : `give it with --${fileFlag} FILE`,
      );
    }
  }
  if (missing.length > 0)
    throw invalidArgument(`no value for ${missing.join(', ')}`, {
      hint: `${[...hints].join('; ')}; or for each --secret id=SECRET/KEY,src=FILE`,
    });
  for (const [flag, file] of Object.entries(files))
    if (file !== undefined && !cacheSecrets.some((one) => one.flag === flag))
      throw invalidArgument(
        `--${flag}: the manifest has no ${flag === 'cache-sign-key' ? 'spec.cache.to[].sign or spec.cache.mounts.sign' : 'verify.secretRef of a cache'}`,
      );
  return values;
}

const flagOf = ({ name, key = '' }: SolvePlan['cacheSecrets'][number]['secretRef']) => `${name}/${key}`;

/** What the image is signed with: the key that `--sign-key` names, or the token of `--sign-identity-token` or `SIGSTORE_ID_TOKEN`. @throws CodedError invalid_argument */
export function signingSecrets(
  { signing }: Pick<SolvePlan, 'signing'>,
  { key, token }: { readonly key: string | undefined; readonly token: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, Uint8Array> {
  const given = { key: ['--sign-key', key], token: ['--sign-identity-token', token] } as const;
  for (const [by, [flag, file]] of Object.entries(given))
    if (file !== undefined && signing !== undefined && signing.by !== by)
      throw invalidArgument(`${flag}: the manifest has no spec.sign.${by === 'key' ? 'secretRef' : 'keyless'}`);
  if (signing === undefined) return new Map();
  const missing = (what: string, hint: string) =>
    invalidArgument(`no ${what} for ${signing.field} (Secret ${signing.secretRef.name} on a cluster)`, { hint });
  if (signing.by === 'token') {
    const text = env['SIGSTORE_ID_TOKEN'];
    if (token === undefined && !text)
      throw missing('identity token', 'give it with --sign-identity-token FILE, or in SIGSTORE_ID_TOKEN');
    const value = token === undefined ? Buffer.from(text as string) : fileValue('--sign-identity-token', token);
    return new Map([[SIGNING_TOKEN_SECRET, value]]);
  }
  if (key === undefined)
    throw missing('key', 'give it with --sign-key cosign.key, and its password as COSIGN_PASSWORD');
  const password = env['COSIGN_PASSWORD'];
  return new Map([
    [SIGNING_KEY_SECRET, fileValue('--sign-key', key)],
    ...(password === undefined ? [] : [[SIGNING_PASSWORD_SECRET, Buffer.from(password)] as const]),
  ]);
}

function secretValue(flag: SecretFlag, env: Readonly<Record<string, string | undefined>>): Uint8Array {
  if ('env' in flag.from) {
    const value = env[flag.from.env];
    if (value === undefined)
      throw invalidArgument(`--secret ${flag.id}: the environment variable ${flag.from.env} is not set`);
    return Buffer.from(value);
  }
  return fileValue(`--secret ${flag.id}`, flag.from.file);
}

function fileValue(flag: string, file: string): Uint8Array {
  try {
    const { size } = statSync(file);
    if (size > MAX_SECRET)
      throw invalidArgument(`${flag}: ${file} has ${size} bytes; at most ${MAX_SECRET} are possible`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Error && 'errno' in error)
      throw invalidArgument(`${flag}: ${file} cannot be read: ${error.message}`, { cause: error });
    throw error;
  }
}
