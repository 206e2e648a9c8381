import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type AbortOptions, CodedError, type Logger, sleep, toCodedError } from '../../base/index.ts';
import { uncheckedType } from './kube-client.ts';
import type { KubeClient, KubeObject, ObjectKey } from './ports.ts';

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number;
    /** RFC 3339 with microseconds. */
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

const leaseType = uncheckedType<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
});

export interface LeaderOptions {
  readonly lease: ObjectKey & { readonly namespace: string };
  /** After which a silent holder has lost it; renewed three times as often. */
  readonly durationMs: number;
  readonly fieldManager: string;
  readonly log: Logger;
}

/**
 * Runs `lead` while this process holds the lease, and gives the lease back after it. The other's time of renewal is never compared with this machine's clock: a
 * lease is free when it has not changed for its duration, as seen from here.
 * @throws CodedError aborted when the lease was lost; `lead` has then been told to stop and has ended
 */
export async function leadWhileHolding(
  client: KubeClient,
  options: LeaderOptions & AbortOptions,
  lead: (options: AbortOptions) => Promise<void>,
): Promise<void> {
  const { durationMs, lease, log, signal, fieldManager } = options;
  const identity = `${hostname()}_${randomUUID()}`;
  const everyMs = durationMs / 3;
  const object = (before: Lease | undefined, holder: string): Lease => {
    const now = new Date().toISOString().replace('Z', '000Z');
    const same = before?.spec?.holderIdentity === identity;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: before?.metadata ?? lease,
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1000)),
        acquireTime: same ? (before?.spec?.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: (before?.spec?.leaseTransitions ?? 0) + (same || before === undefined ? 0 : 1),
      },
    };
  };
  let held: Lease | undefined;

  /** The lease, once it is ours. */
  const acquire = async (): Promise<Lease> => {
    let seen: { readonly version: string | undefined; readonly at: number } | undefined;
    let told: string | undefined;
    while (true) {
      signal.throwIfAborted();
      try {
        const found = await client.get(leaseType, lease, { signal }).catch((error: unknown) => {
          if (toCodedError(error).code === 'not_found') return undefined;
          throw error;
        });
        if (found === undefined)
          return await client.create(leaseType, object(undefined, identity), { signal, fieldManager });
        const holder = found.spec?.holderIdentity;
        const version = found.metadata.resourceVersion;
        if (seen === undefined || seen.version !== version) seen = { version, at: performance.now() };
        const theirsMs = (found.spec?.leaseDurationSeconds ?? durationMs / 1000) * 1000;
        if (!holder || performance.now() - seen.at > theirsMs)
          return await client.replace(leaseType, object(found, identity), { signal, fieldManager });
        if (told !== holder) log.info('another operator leads', { holder });
        told = holder;
      } catch (error) {
        signal.throwIfAborted();
        const { code } = toCodedError(error);
        if (code !== 'aborted' && code !== 'already_exists') log.warn('the lease cannot be read', { err: error });
      }
      await sleep(Math.min(2000, everyMs) * (0.8 + Math.random() / 5), { signal });
    }
  };

  held = await acquire();
  log.info('leading', { identity });
  const over = new AbortController();
  const leading = AbortSignal.any([signal, over.signal]);
  const renew = async (): Promise<void> => {
    let renewed = performance.now();
    while (!leading.aborted) {
      await sleep(everyMs, { signal: leading });
      try {
        held = await client.replace(leaseType, object(held, identity), { signal: leading, fieldManager });
        renewed = performance.now();
      } catch (error) {
        if (leading.aborted) return;
        log.warn('the lease was not renewed', { err: error });
        // Our own write may have arrived though its answer did not.
        const found = await client.get(leaseType, lease, { signal: leading }).catch(() => undefined);
        if (found?.spec?.holderIdentity === identity) held = found;
        if (
          (found !== undefined && found.spec?.holderIdentity !== identity) ||
          performance.now() - renewed > durationMs * 0.8
        ) {
          over.abort(new CodedError('aborted', 'another operator may lead by now', { reason: 'LEASE_LOST' }));
          return;
        }
      }
    }
  };
  const renewing = renew().catch(() => {});
  try {
    await lead({ signal: leading });
  } finally {
    const lost = over.signal.aborted;
    over.abort(new CodedError('cancelled', 'no longer leading'));
    await renewing;
    if (!lost)
      await client
        .replace(leaseType, object(held, ''), { signal: AbortSignal.timeout(2000), fieldManager })
        .catch((error: unknown) => log.warn('the lease was not given back', { err: error }));
  }
  if (over.signal.reason instanceof CodedError && over.signal.reason.reason === 'LEASE_LOST') throw over.signal.reason;
}
