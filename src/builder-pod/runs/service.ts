import { formatPlatform, type Platform } from '../../base/index.ts';
import { Builder, type GrpcServer, type wire } from '../../builder-api/index.ts';
import type { Recorder } from '../history/index.ts';
import { statusMessages } from '../protocol/index.ts';
import { buildRefOf, runId } from './id.ts';
import { readStart } from './request.ts';
import type { Runs } from './runs.ts';

const MAX_REASON = 1024;

interface BuilderIdentity {
  readonly id: string;
  readonly platforms: readonly Platform[];
  readonly version: string;
  /** When this life of it began, ms since the epoch. */
  readonly startedMs: number;
  /** For how long of it a build was under way. */
  readonly busyMs: () => number;
  /** What it has to build with; undefined while that could not be read. */
  readonly usage: () => Promise<wire.slipway.builder.v1.Usage.$Properties | undefined>;
}

/** Serves `slipway.builder.v1`. */
export function registerBuilder(
  server: GrpcServer,
  runs: Runs,
  identity: BuilderIdentity,
  history: Pick<Recorder, 'replayRun'>,
): void {
  server.register(Builder, {
    start: async (request, options) => await runs.start(await readStart(request, options)),

    attach: async function* (request, { signal }) {
      const id = runId(request.id);
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

    load: async () => ({
      running: runs.running,
      capacity: runs.capacity,
      draining: runs.draining,
      builderId: identity.id,
      platforms: identity.platforms.map((platform) => formatPlatform(platform)),
      version: identity.version,
      usage: (await identity.usage()) ?? null,
      startedMs: Math.floor(identity.startedMs),
      busyMs: Math.floor(identity.busyMs()),
    }),
  });
}
