import { createHash } from 'node:crypto';
import { type BuildStatus, isOver, lastTime, nextTime, parseSchedule } from '../../resources/index.ts';
import { timeText } from '../conditions.ts';
import { type KnownBuild, knownBuildType } from '../known.ts';
import { fluxArtifact } from '../run/flux.ts';
import { MissingValue } from '../run/missing.ts';
import { clip, type Informer, type KubeClient, type Reconcile } from '../runtime/index.ts';
import { writeStatus } from '../status.ts';

type Triggered = NonNullable<BuildStatus['triggered']>;

/** How often sources of Flux are looked at; what changes in between is one run. */
const LOOK_EVERY_MS = 30_000;
/** Builds of one schedule begin within this time of it, each at a time of its own. */
const JITTER_MS = 30_000;

interface TriggerView {
  readonly build: KnownBuild;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What its sources of Flux have, one after the other, and when the last of it came; undefined where it has none, or they are not ready. */
  readonly found?: { readonly revision: string; readonly since: number } | undefined;
}

interface TriggerDecision {
  readonly triggered: Triggered | undefined;
  readonly requeueAfterMs?: number;
}

/** Whether something other than a change starts a run: a pure function. What it says becomes part of the Build's hash by its token, and that starts the run. */
export function decideTrigger({ build, now, found }: TriggerView): TriggerDecision {
  let triggered = build.status?.triggered;
  const before = triggered?.revision;
  if (found !== undefined && found.revision !== before) {
    const { startedAt } = build.status ?? {};
    // The first run reads what there is by itself: until it has begun, nobody knows what it was.
    if (before !== undefined || startedAt !== undefined) {
      const isNew = before !== undefined || found.since >= Date.parse(startedAt!);
      const message = `the source is at ${found.revision}`;
      triggered = { ...triggered, revision: found.revision, ...(isNew ? fired('NewRevision', message, now) : {}) };
    }
  }
  const { schedule: cron } = build.spec;
  const schedule = cron === undefined ? undefined : parseSchedule(cron);
  if (cron === undefined || schedule === undefined) return { triggered };
  const followed = triggered?.schedule;
  // One that is new, or another one, begins now.
  if (followed?.cron !== cron) triggered = { ...triggered, schedule: { cron, since: timeText(now) } };
  const since = Date.parse(triggered!.schedule!.since);
  const jitter = jitterOf(build);
  const due = lastTime(schedule, since, now - jitter);
  // What runs now comes to its end first.
  if (due !== undefined && isOver(build.status?.phase))
    triggered = {
      ...triggered,
      ...fired('Schedule', `${cron} was due at ${timeText(due)}`, now),
      schedule: { cron, since: timeText(due) },
    };
  const next = nextTime(schedule, Math.max(since, now - jitter));
  return { triggered, ...(next === undefined ? {} : { requeueAfterMs: Math.max(1000, next + jitter - now) }) };
}

function fired(reason: string, message: string, now: number): Triggered {
  return { token: clip(`${reason}: ${message}`, 1200), reason, message: clip(message, 1200), at: timeText(now) };
}

function jitterOf({ metadata }: KnownBuild): number {
  const hash = createHash('sha256')
    .update(metadata.uid ?? metadata.name)
    .digest();
  return hash.readUInt32BE(0) % JITTER_MS;
}

interface TriggerParts {
  readonly client: KubeClient;
  readonly builds: Informer<KnownBuild>;
}

/** Build → what starts a run of it besides a change, in its status. */
export function triggerReconciler({ client, builds }: TriggerParts): Reconcile {
  /** When sources of Builds were looked at last, in ms since the epoch. */
  const looked = new Map<string, number>();
  return async (key, { signal }) => {
    const build = builds.get(key);
    if (build === undefined || build.metadata.deletionTimestamp !== undefined) {
      looked.delete(key);
      return undefined;
    }
    const { flux = [], fault, held } = build;
    if (fault !== undefined || held !== undefined || !hasTriggers(build)) return undefined;
    const now = client.now();
    let lookAfterMs = LOOK_EVERY_MS;
    let found: TriggerView['found'];
    if (flux.length > 0) {
      lookAfterMs = (looked.get(key) ?? 0) + LOOK_EVERY_MS - now;
      if (lookAfterMs <= 0) {
        looked.set(key, now);
        lookAfterMs = LOOK_EVERY_MS;
        found = await look(build, { signal });
      }
    }
    const { triggered, requeueAfterMs = Number.POSITIVE_INFINITY } = decideTrigger({ build, now, found });
    if (triggered !== build.status?.triggered)
      await writeStatus(
        { client, informer: builds },
        knownBuildType,
        build,
        { ...build.status, ...(triggered === undefined ? {} : { triggered }) },
        { signal },
      );
    const afterMs = Math.min(requeueAfterMs, flux.length > 0 ? lookAfterMs : Number.POSITIVE_INFINITY);
    return Number.isFinite(afterMs) ? { requeueAfterMs: afterMs } : undefined;
  };

  async function look(build: KnownBuild, { signal }: { readonly signal: AbortSignal }): Promise<TriggerView['found']> {
    try {
      const all = [];
      for (const reference of build.flux ?? [])
        all.push(await fluxArtifact(reference, build.metadata.namespace as string, { client, signal }));
      const revision = clip(all.map((one) => `${one.revision} ${one.digest.slice(0, 19)}`).join(', '), 1100);
      return { revision, since: Math.max(...all.map(({ since }) => since)) };
    } catch (error) {
      // Its run says what is missing.
      if (error instanceof MissingValue) return undefined;
      throw error;
    }
  }
}

/** Whether anything but a change may start a run. */
export function hasTriggers({ spec, flux = [] }: KnownBuild): boolean {
  return spec.schedule !== undefined || flux.length > 0;
}
