import { type AbortOptions, type Logger, sleep, toCodedError } from '../../base/index.ts';
import type { KeptCertificate } from '../../resources/index.ts';
import { FIELD_MANAGER, type Secret, secretType } from '../resource-types.ts';
import { backoff, type KubeClient, type ObjectKey } from '../runtime/index.ts';
import type { Pair } from './issue.ts';
import { type Authority, type Holding, LOOK_MS, nextAuthority, nextHolding } from './rotation.ts';

interface KeepOptions extends AbortOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace' | 'now'>;
  readonly certificates: readonly KeptCertificate[];
  /** Where the authority is, with its key. */
  readonly authority: { readonly namespace: string; readonly name: string };
  readonly log: Logger;
}

/** When certificates of somebody else were taken over, ms since the epoch. */
const ADOPTED_AT = 'slipway.build/adopted-at';
const FIRST_DELAY_MS = 1000;
const MOST_DELAY_MS = 60_000;

/** Makes the Secrets and renews what is in them, until the signal; for who leads. Each is written on what was read of it, so of two operators one loses and looks again. @throws the signal's reason */
export async function keepCertificates(options: KeepOptions): Promise<void> {
  const { signal, log } = options;
  for (let failures = 0; ; )
    try {
      await lookAfter(options);
      failures = 0;
      await sleep(LOOK_MS, { signal });
    } catch (error) {
      signal.throwIfAborted();
      const { code } = toCodedError(error);
      // Somebody else was first.
      if (code !== 'aborted' && code !== 'already_exists')
        log.warn('certificates cannot be kept: it is tried again', { err: error });
      await sleep(backoff(failures++, FIRST_DELAY_MS, MOST_DELAY_MS), { signal });
    }
}

/** One look at all of them. @throws CodedError */
export async function lookAfter(options: KeepOptions): Promise<void> {
  const { client, certificates, authority: key } = options;
  const now = client.now();
  const authority = await keep(options, key, {
    read: authorityOf,
    next: (found) => nextAuthority(found, now),
    write: ({ current, next, previous }) => ({
      data: {
        ...{ 'tls.crt': current.cert, 'tls.key': current.key },
        ...(next === undefined ? {} : { 'next.crt': next.cert, 'next.key': next.key }),
        ...(previous === undefined ? {} : { 'previous.crt': previous }),
      },
    }),
  });
  for (const { secret, ...purpose } of certificates)
    await keep(options, secret, {
      read: holdingOf,
      next: (found) => nextHolding(found, purpose, authority, now),
      write: ({ cert = '', key: own = '', ca = '', adopted }) => ({
        data: {
          ...{ 'ca.crt': ca, 'tls.crt': cert, 'tls.key': own },
          ...(adopted === undefined ? {} : { 'adopted.crt': adopted.ca }),
        },
        ...(adopted === undefined ? {} : { annotations: { [ADOPTED_AT]: String(adopted.at) } }),
      }),
    });
}

interface Form<T> {
  readonly read: (secret: Secret) => T | undefined;
  readonly next: (found: T | undefined) => T;
  readonly write: (value: T) => {
    readonly data: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

async function keep<T>({ client, signal, log }: KeepOptions, key: ObjectKey, form: Form<T>): Promise<T> {
  const there = await client.get(secretType, key, { signal }).catch((error: unknown) => {
    if (toCodedError(error).code === 'not_found') return undefined;
    throw error;
  });
  const found = there === undefined ? undefined : form.read(there);
  const wanted = form.next(found);
  if (found === wanted) return wanted;
  const { data, annotations = {} } = form.write(wanted);
  const encoded = Object.fromEntries(
    Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
  );
  const options = { signal, fieldManager: FIELD_MANAGER };
  const { namespace, name } = key;
  if (there === undefined)
    await client.create(
      secretType,
      {
        ...{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', data: encoded },
        metadata: { namespace, name, labels: { 'app.kubernetes.io/managed-by': FIELD_MANAGER }, annotations },
      } as Secret,
      options,
    );
  else {
    const { [ADOPTED_AT]: _, ...others } = there.metadata.annotations ?? {};
    const metadata = { ...there.metadata, annotations: { ...others, ...annotations } };
    await client.replace(secretType, { ...there, metadata, data: encoded }, options);
  }
  log.info('certificates were written', { secret: `${namespace}/${name}` });
  return wanted;
}

function authorityOf(secret: Secret): Authority | undefined {
  const part = partsOf(secret);
  const current = pairOf(part('tls.crt'), part('tls.key'));
  if (current === undefined) return undefined;
  const next = pairOf(part('next.crt'), part('next.key'));
  const previous = part('previous.crt');
  return { current, ...(next === undefined ? {} : { next }), ...(previous === undefined ? {} : { previous }) };
}

function holdingOf(secret: Secret): Holding {
  const part = partsOf(secret);
  const at = Number(secret.metadata.annotations?.[ADOPTED_AT]);
  const ca = part('adopted.crt');
  return {
    ...{ cert: part('tls.crt'), key: part('tls.key'), ca: part('ca.crt') },
    adopted: at > 0 && ca !== undefined ? { ca, at } : undefined,
  };
}

function partsOf({ data = {} }: Secret): (name: string) => string | undefined {
  return (name) => {
    const value = data[name];
    return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
  };
}

function pairOf(cert: string | undefined, key: string | undefined): Pair | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key };
}
