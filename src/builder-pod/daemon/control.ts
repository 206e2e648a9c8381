import {
  type AbortOptions,
  CodedError,
  invalidArgument,
  joinedInSlices,
  type Logger,
  onAbort,
} from '../../base/index.ts';
import {
  Control,
  CURRENT_TIMESTAMP_METADATA,
  EncodedMessage,
  type GrpcServer,
  type Handlers,
  Health,
  Metadata,
  TraceService,
  timestampOf,
  toNumber,
  wire,
} from '../../builder-api/index.ts';
import { type DiskUsage, diskUsage, type GarbageCollector, parseFilters, prune } from '../../cache/gc/index.ts';
import type { Refs } from '../../cache/refs/index.ts';
import type { Engine, SolveRequest } from '../engine/index.ts';
import { type Explainer, type HistoryEvent, parseHistoryFilters, type Recorder } from '../history/index.ts';
import { buildkitCode, solveRequest, statusMessages } from '../protocol/index.ts';
import { withoutOwnPaths } from '../state/index.ts';
import { BUILDKIT_VERSION } from './worker.ts';

/** Events of the history that wait for a client to read. */
const MAX_WAITING_EVENTS = 1000;
/** How long a status stream may come before its Solve. */
const STATUS_WAIT_MS = 6000;
/** How long usage and prune wait for the clean-up of builds that have ended. */
const LET_GO_MS = 30_000;
/** The scope of all direct clients, which no solve of an operator can name: theirs begin with a namespace. */
export const DIRECT = '.direct';
const SCOPE = { write: DIRECT, read: [DIRECT] };

const v1 = wire.moby.buildkit.v1;
type UsageRecord = wire.moby.buildkit.v1.UsageRecord.$Properties;

export interface ControlOptions {
  /** The state directory: a path that clients are not told. */
  readonly stateRoot: string;
  readonly engine: Engine;
  readonly worker: wire.moby.buildkit.v1.types.WorkerRecord.$Properties;
  readonly refs: Refs;
  readonly gc: GarbageCollector;
  readonly history: Recorder;
  readonly explainer: Explainer;
  readonly log: Logger;
}

/** Health, as probes of readiness ask for it: 1 is SERVING, 2 NOT_SERVING. */
export function registerHealth(server: GrpcServer, serving: () => boolean): void {
  server.register(Health, { check: () => ({ status: serving() ? 1 : 2 }) });
}

/** The Control service, and spans taken and dropped. Sessions are registered by their registry. */
export function registerControl(server: GrpcServer, options: ControlOptions): void {
  const { engine, refs, history, explainer, log } = options;
  /** What an ended build is still letting go of is not in use; what cannot be let go of (a step that does not die) keeps nobody waiting. */
  const letGo = async ({ signal }: AbortOptions) => {
    using aborted = onAbort(signal);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, LET_GO_MS);
    try {
      await Promise.race([engine.services.afterwork.settled(), aborted.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };

  server.register(TraceService, { export: () => ({}) });
  const handlers: Handlers<typeof Control> = {
    info: () => ({ buildkitVersion: BUILDKIT_VERSION }),

    listWorkers: () => ({ record: [options.worker] }),

    solve: async (message, { signal, peer }) => {
      let request: SolveRequest;
      try {
        request = { ...(await solveRequest(message, SCOPE, { signal })), client: peer, direct: true };
      } catch (error) {
        engine.refuse(message.ref ?? '', error);
        throw error;
      }
      const { ref } = request;
      try {
        const { exporterResponse } = await engine.solve(request, { signal });
        return { exporterResponse: { ...exporterResponse } };
      } catch (error) {
        const coded = withoutOwnPaths(error, options.stateRoot);
        engine.refuse(ref, coded);
        log.info('build failed', { build: ref, err: coded });
        throw coded;
      } finally {
        options.gc.trigger();
      }
    },

    status: async function* (request, context) {
      const ref = request.ref ?? '';
      // What is written down is whole; what is remembered was for the eye.
      const past = history.replay(DIRECT, ref, context);
      if (past !== undefined) {
        context.sendHeaders(new Metadata().add(CURRENT_TIMESTAMP_METADATA, new Date().toISOString()));
        yield* past;
        if (request.explain === true) yield* explainer.explain(DIRECT, ref, context);
        return;
      }
      const build = await engine
        .build(DIRECT, ref, { signal: context.signal, waitMs: STATUS_WAIT_MS })
        .catch((error) => {
          // There is nothing to watch of a build that was refused, and Solve says why.
          if (!engine.wasRefused(ref)) throw error;
        });
      if (build === undefined) return;
      context.sendHeaders(new Metadata().add(CURRENT_TIMESTAMP_METADATA, new Date().toISOString()));
      const misses = request.explain === true ? explainer.follow(DIRECT, build.job.id) : undefined;
      for await (const events of build.job.watch({ signal: context.signal })) {
        yield* statusMessages(events, context);
        if (misses !== undefined) for await (const missed of misses(context)) yield { missed: [missed] };
      }
    },

    diskUsage: async (request, { signal }) => {
      const filter = parseFilters(request.filter ?? [], 'diskusage');
      await letGo({ signal });
      const records = await diskUsage(refs, { signal, filter });
      const ageLimit = toNumber(request.ageLimit) / 1e6;
      const until = ageLimit > 0 ? Date.now() - ageLimit : Number.POSITIVE_INFINITY;
      return await usageAnswer(
        records.filter((record) => record.lastUsedAt <= until),
        { signal },
      );
    },

    prune: async function* (request, { signal }) {
      const keepDurationMs = toNumber(request.keepDuration) / 1e6;
      await letGo({ signal });
      const removed = await prune(refs, {
        signal,
        all: request.all === true,
        filters: request.filter ?? [],
        ...(keepDurationMs > 0 ? { keepDurationMs } : {}),
        reservedSpace: toNumber(request.reservedSpace),
        maxUsedSpace: toNumber(request.maxUsedSpace),
        minFreeSpace: toNumber(request.minFreeSpace),
        blobGraceMs: 0,
        busySince: () => engine.busySince,
      });
      for (const record of removed) yield usageMessage(record);
    },

    listenBuildHistory: async function* (request, context) {
      const filter = parseHistoryFilters(request.filter ?? []);
      const { limit = 0 } = request;
      if (limit < 0) throw invalidArgument(`invalid limit ${limit}`);
      context.sendHeaders(new Metadata().add(CURRENT_TIMESTAMP_METADATA, new Date().toISOString()));
      const ref = request.ref ?? '';
      const activeOnly = request.activeOnly === true;
      const live: HistoryEvent[] = [];
      let wake = Promise.withResolvers<void>();
      using _listening = history.listen(DIRECT, (event) => {
        if (ref !== '' && event.record.ref !== ref) return;
        if (activeOnly && event.type !== v1.BuildHistoryEventType.STARTED) return;
        if (live.length < MAX_WAITING_EVENTS) live.push(event);
        wake.resolve();
      });
      await history.settled(context);
      // The list has what happened meanwhile.
      live.length = 0;
      const known = await history.matching(history.list(DIRECT, { activeOnly, ref }), filter, context);
      const isOver = ({ type }: HistoryEvent) => type === v1.BuildHistoryEventType.COMPLETE;
      yield* known.filter((event) => !isOver(event));
      const over = known.filter(isOver);
      // Newest first when limited.
      const told = limit > 0 ? over.toReversed().slice(0, limit) : over;
      // A record is told whole, with its log and what is attested of it.
      yield* history.whole(told, context);
      if (request.earlyExit === true) return;
      using aborted = onAbort(context.signal);
      while (true) {
        wake = Promise.withResolvers<void>();
        const isSlow = live.length >= MAX_WAITING_EVENTS;
        yield* await history.matching(live.splice(0), filter, context);
        if (isSlow) throw new CodedError('resource_exhausted', 'build history came faster than it was read');
        if (live.length === 0) await Promise.race([wake.promise, aborted.promise]);
      }
    },

    updateBuildHistory: async (request, { signal }) => {
      const ref = request.ref ?? '';
      await history.settled({ signal });
      if (request.delete === true) history.delete(DIRECT, ref);
      else if (request.finalize !== true) history.pin(DIRECT, ref, request.pinned === true);
      return {};
    },
  };
  server.register(Control, handlers, { wireCode: buildkitCode });
}

/** What is told of records is joined to so many, a few hundred of them. */
const USAGE_BYTES = 64 * 1024;

/** What is told of many records takes long to encode, so it is done in slices: messages of one list are one message, joined. */
async function usageAnswer(records: readonly DiskUsage[], options: AbortOptions): Promise<EncodedMessage> {
  const pieces = records
    .values()
    .map((record) => v1.DiskUsageResponse.encode({ record: [usageMessage(record)] }).finish());
  return new EncodedMessage(await joinedInSlices(pieces, USAGE_BYTES, options));
}

function usageMessage(record: DiskUsage): UsageRecord {
  return {
    id: record.id,
    mutable: record.mutable,
    inUse: record.inUse,
    size: record.size,
    parent: record.parents[0] ?? '',
    parents: [...record.parents],
    createdAt: timestampOf(record.createdAt),
    lastUsedAt: timestampOf(record.lastUsedAt),
    usageCount: record.usageCount,
    description: record.description,
    recordType: record.recordType,
    shared: record.shared,
  };
}
