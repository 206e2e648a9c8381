import { type AbortOptions, CodedError, formatPlatform, type Platform, sleep } from '../../base/index.ts';
import { Builder, type GrpcServer, type wire } from '../../builder-api/index.ts';
import type { HeldKeys } from '../../cache/keys/index.ts';
import type { Recorder } from '../history/index.ts';
import { statusMessages } from '../protocol/index.ts';
import { buildRefOf, formatRunId, type RunId, runId } from './id.ts';
import { readStart } from './request.ts';
import type { Runs } from './runs.ts';

const MAX_REASON = 1024;
/** How often it is looked whether a record has begun. */
const RECORD_MS = 100;

interface BuilderIdentity {
  readonly id: string;
  readonly platforms: readonly Platform[];
  readonly version: string;
  /** When this life of it began, ms since the epoch. */
  readonly startedMs: number;
  /** For how long of it a build was under way. */
  readonly busyMs: () => number;
  /** Takes no new builds from now on; how many are under way. */
  readonly drain: (reason: string) => number;
  /** What it has to build with; undefined while that could not be read. */
  readonly usage: () => Promise<wire.slipway.builder.v1.Usage.$Properties | undefined>;
}

/** Serves `slipway.builder.v1`. */
export function registerBuilder(
  server: GrpcServer,
  runs: Runs,
  identity: BuilderIdentity,
  history: Pick<Recorder, 'replayRun' | 'recordedRun'>,
  heldKeys: Pick<HeldKeys, 'since'>,
): void {
  /** @throws CodedError not_found */
  async function* recorded(id: RunId, options: AbortOptions & { readonly follow: boolean }) {
    const { signal } = options;
    for (;;) {
      const found = history.recordedRun(buildRefOf(id), options);
      if (found !== undefined) {
        yield* found;
        return;
      }
      // One that has only just begun has no record yet.
      if (!runs.isLive(id))
        throw CodedError.of('RUN_UNKNOWN', `there is no record of the solve ${formatRunId(id)} here`);
      if (!options.follow) return;
      await sleep(RECORD_MS, { signal });
    }
  }
  server.register(Builder, {
    start: async (request, options) => await runs.start(await readStart(request, options)),

    attach: async function* (request, { signal }) {
      const id = runId(request.id);
      if (request.recorded === true) {
        yield* recorded(id, { signal, follow: request.follow === true });
        return;
      }
      const run = runs.watchable(id);
      if (run === undefined) {
        yield* history.replayRun(buildRefOf(id), { signal }) ?? [];
        return;
      }
      for await (const events of run.events({ signal })) yield* statusMessages(events, { signal });
    },

    cancel: async (request, options) => ({
      state: await runs.cancel(runId(request.id), (request.reason ?? '').slice(0, MAX_REASON), options),
    }),

    result: (request, { signal }) => runs.result(runId(request.id), { signal, wait: request.wait === true }),

    commit: async (request, options) => {
      const { outputs = [] } = await runs.commit(runId(request.id), options);
      return { outputs };
    },

    acknowledge: async (request, options) => {
      await runs.acknowledge(runId(request.id), options);
      return {};
    },

    drain: ({ reason }) => ({
      running: identity.drain((reason || 'it is being drained').slice(0, MAX_REASON)),
    }),

    load: async ({ knownKeys }) => ({
      ...keysFields(heldKeys.since(knownKeys ?? '')),
      running: runs.running,
      capacity: runs.capacity,
      draining: runs.draining !== undefined,
      drainingReason: runs.draining?.reason ?? '',
      drainsUntilMs: runs.draining?.untilMs ?? 0,
      builderId: identity.id,
      platforms: identity.platforms.map((platform) => formatPlatform(platform)),
      version: identity.version,
      usage: (await identity.usage()) ?? null,
      startedMs: Math.floor(identity.startedMs),
      busyMs: Math.floor(identity.busyMs()),
    }),
  });
}

function keysFields({ version, filter, added }: ReturnType<HeldKeys['since']>) {
  return {
    keysVersion: version,
    ...(filter === undefined ? {} : { keysFilter: filter }),
    ...(added === undefined ? {} : { keysAdded: added }),
  };
}
