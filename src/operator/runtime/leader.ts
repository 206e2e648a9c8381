import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  type AbortOptions,
  CodedError,
  type Logger,
  neverAborted,
  onAbort,
  sleep,
  toCodedError,
} from '../../base/index.ts';
import { uncheckedType } from './kube-client.ts';
import type { KubeClient, KubeObject, ObjectKey, WriteOptions } from './ports.ts';

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

interface LeaderOptions {
  readonly lease: ObjectKey & { readonly namespace: string };
  /** After which a silent holder has lost it; renewed three times as often. */
  readonly durationMs: number;
  readonly fieldManager: string;
  readonly log: Logger;
}

/** Share of the duration after which a holder that could not renew has stopped: before anybody else may begin. */
const HOLD = 0.8;

/**
 * Runs `lead` while this process holds the lease, and gives the lease back after it. No clock but this machine's own is read: a lease is free when it was given back, or has not changed for its
 * duration as seen from here; a lease that is gone, or whose holder somebody else erased, is waited for as long, since its holder may not know yet. Leading ends by a timer, counted from
 * when the last renewal that arrived was sent, whatever the calls then under way do.
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
  const spec = { leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1000)) };
  const ours = (before: Lease | undefined): Lease => {
    const now = new Date().toISOString().replace('Z', '000Z');
    const same = before?.spec?.holderIdentity === identity;
    return leaseOf(before, lease, {
      ...spec,
      holderIdentity: identity,
      acquireTime: same ? (before?.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (before?.spec?.leaseTransitions ?? 0) + (same || before === undefined ? 0 : 1),
    });
  };
  /** A call that ends within `ms`, whatever becomes of it; it waits behind no other. */
  const call = async <T>(
    ms: number,
    until: AbortSignal,
    make: (options: WriteOptions & { readonly urgent: true }) => Promise<T>,
  ): Promise<T> => {
    const within = AbortSignal.any([until, AbortSignal.timeout(Math.max(1, Math.round(ms)))]);
    using ended = onAbort(within);
    return await Promise.race([make({ signal: within, fieldManager, urgent: true }), ended.promise]);
  };
  const read = (ms: number, until: AbortSignal) =>
    call(ms, until, (options) => client.get(leaseType, lease, options)).catch((error: unknown) => {
      if (toCodedError(error).code === 'not_found') return undefined;
      throw error;
    });
  const write = (ms: number, until: AbortSignal, found: Lease | undefined) =>
    call(ms, until, (options) =>
      found === undefined
        ? client.create(leaseType, ours(undefined), options)
        : client.replace(leaseType, ours(found), options),
    );

  /** The lease once it is ours, and when the write that made it so was sent. */
  const acquire = async (): Promise<{ readonly held: Lease; readonly sentAt: number }> => {
    let seen: { readonly version: string | undefined; readonly at: number } | undefined;
    let known = false;
    let told: string | undefined;
    while (true) {
      signal.throwIfAborted();
      try {
        const found = await read(durationMs, signal);
        const now = performance.now();
        const version = found?.metadata.resourceVersion;
        known ||= found !== undefined;
        if (seen === undefined || seen.version !== version) seen = { version, at: now };
        const theirsMs = Math.max(durationMs, (found?.spec?.leaseDurationSeconds ?? 0) * 1000);
        const holder = found?.spec?.holderIdentity;
        const free =
          found === undefined
            ? // Where none was ever seen there is no holder, or it makes it anew at its next renewal.
              now - seen.at > (known ? durationMs : everyMs)
            : holder === identity || (!holder && !found.spec?.renewTime) || now - seen.at > theirsMs;
        if (free) {
          const held = await write(durationMs * HOLD, signal, found);
          if (performance.now() - now < durationMs * HOLD) return { held, sentAt: now };
        } else if (holder && told !== holder) log.info('another operator leads', { holder });
        told = holder ?? undefined;
      } catch (error) {
        signal.throwIfAborted();
        const { code } = toCodedError(error);
        if (code !== 'aborted' && code !== 'already_exists') log.warn('the lease cannot be read', { err: error });
      }
      await sleep(Math.min(2000, everyMs) * (0.8 + Math.random() / 5), { signal });
    }
  };

  const acquired = await acquire();
  let held: Lease | undefined = acquired.held;
  let { sentAt } = acquired;
  log.info('leading', { identity });
  const over = new AbortController();
  const leading = AbortSignal.any([signal, over.signal]);
  const lose = () => over.abort(CodedError.of('LEASE_LOST', 'another operator may lead by now'));
  const restMs = () => sentAt + durationMs * HOLD - performance.now();
  let deadline = setTimeout(lose, restMs());
  const renewed = (lease: Lease, sent: number): void => {
    held = lease;
    sentAt = sent;
    clearTimeout(deadline);
    if (!leading.aborted) deadline = setTimeout(lose, restMs());
  };
  const renew = async (): Promise<void> => {
    for (let delayMs = everyMs; ; ) {
      await sleep(delayMs, { signal: leading });
      const sent = performance.now();
      // So short that calls that hang can be made once more.
      const callMs = Math.min(everyMs / 2, restMs());
      try {
        renewed(await write(callMs, leading, held), sent);
        delayMs = everyMs;
      } catch (error) {
        if (leading.aborted) return;
        log.warn('the lease was not renewed', { err: error });
        delayMs = everyMs / 10;
        // Our own write may have arrived though its answer did not, or somebody has edited or deleted it.
        const found = await read(Math.min(everyMs / 2, restMs()), leading).catch(() => held);
        const holder = found?.spec?.holderIdentity;
        if (holder && holder !== identity) return lose();
        held = found;
      }
    }
  };
  const renewing = renew().catch(() => {});
  try {
    await lead({ signal: leading });
  } finally {
    clearTimeout(deadline);
    const lost = over.signal.aborted;
    over.abort(new CodedError('cancelled', 'no longer leading'));
    await renewing;
    if (!lost && held !== undefined) {
      const given = leaseOf(held, lease, {
        ...spec,
        holderIdentity: '',
        leaseTransitions: held.spec?.leaseTransitions ?? 0,
      });
      await call(2000, neverAborted, (options) => client.replace(leaseType, given, options)).catch((error: unknown) =>
        log.warn('the lease was not given back', { err: error }),
      );
    }
  }
  if (over.signal.reason instanceof CodedError && over.signal.reason.reason === 'LEASE_LOST') throw over.signal.reason;
}

const leaseOf = (before: Lease | undefined, key: ObjectKey, spec: NonNullable<Lease['spec']>): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: before?.metadata ?? key,
  spec,
});
