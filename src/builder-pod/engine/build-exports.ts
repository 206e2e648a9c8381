import {
  type AbortOptions,
  type CodedError,
  cancelledError,
  formatPlatform,
  type Logger,
  NO_LIMITS,
  toCodedError,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { type BuiltResult, findLostResult, type VertexWarning } from '../../solver/index.ts';
import {
  compressionFor,
  type ExportContext,
  type Exporter,
  type ExportResponse,
  type ExportResult,
  type ExportSource,
  frontendResponse,
  platformWarnings,
} from '../exporters/index.ts';
import type { BridgeResult, BridgeWorker } from '../frontends/index.ts';
import type { Attesting } from './attesting.ts';
import type { Build } from './build.ts';
import type { BuildRef } from './build-ref.ts';
import {
  type CacheExportTypes,
  type CacheWritten,
  inlineRecordsOf,
  type OpenedCacheExport,
  type OpenedCacheExports,
  openCacheExports,
} from './cache-exports.ts';
import type { ContinuousExports, Growing } from './continuous-exports.ts';
import type { EarlyPacking } from './early-packing.ts';
import { MovedTally } from './moved-bytes.ts';
import type { CapturedPart } from './provenance/provenance.ts';
import { SILENT } from './silent.ts';
import type { BuildEnd, SolveOutcome, SolveRequest } from './solve.ts';

/** Asks clients for outputs of what was built, and tells them how these ended. */
interface SessionExports {
  find(
    session: string,
    result: { readonly metadata: ReadonlyMap<string, Uint8Array>; readonly refs: readonly string[] },
    options: AbortOptions,
  ): Promise<SolveRequest['exporters']>;
  finalize(session: string, response: ExportResponse, options: AbortOptions): Promise<void>;
}

export interface ExportServices {
  /** @throws CodedError for an unknown type or bad attributes */
  readonly openExporter: (
    type: string,
    attrs: Readonly<Record<string, string>>,
    options: { readonly deferTags: boolean },
  ) => Exporter;
  readonly sessionExports?: SessionExports;
  /** Types of remote caches that builds may write. */
  readonly cacheExports?: CacheExportTypes | undefined;
  readonly worker: BridgeWorker;
  readonly log: Logger;
}

/** What goes ahead of exports while their builds go on, of all builds. */
interface AheadOfExports {
  readonly packing: EarlyPacking;
  readonly continuous: ContinuousExports;
}

interface OpenedExports {
  readonly exporters: readonly Exporter[];
  /** One that the client asks for later. @throws CodedError */
  readonly open: (one: SolveRequest['exporters'][number]) => Exporter;
  readonly caches: OpenedCacheExports;
}

/** What a build is to write, its attributes checked before anything is built. @throws CodedError for what cannot be met */
export function openExports(request: SolveRequest, services: ExportServices): OpenedExports {
  const { deferTags = false, direct = false } = request;
  const open: OpenedExports['open'] = ({ type, attrs }) =>
    services.openExporter(type, withEpoch(attrs, request.frontendAttrs), { deferTags });
  const types = services.cacheExports ?? { exporters: new Map() };
  return {
    ...{ exporters: request.exporters.map(open), open },
    caches: openCacheExports(request.cacheExports ?? [], types, { direct }),
  };
}

interface Output {
  readonly exporter: Exporter;
  readonly moved: MovedTally;
  result?: ExportResult;
}

interface Cache {
  readonly cache: OpenedCacheExport;
  readonly moved: MovedTally;
  /** Nothing, where it could not be written and is not to fail its build. */
  written?: CacheWritten;
  error?: CodedError;
}

/**
 * What one build writes, from its beginning on: layers and caches while it goes on, its outputs when it is built, and after them its caches; or, where it fails, what of these can be left to who builds
 * next. Disposing ends what is under way.
 */
export class BuildExports implements AsyncDisposable {
  readonly #request: SolveRequest;
  readonly #build: Build;
  readonly #signal: AbortSignal;
  readonly #services: ExportServices & AheadOfExports;
  readonly #opened: OpenedExports;
  readonly #outputs: Output[];
  readonly #caches: readonly Cache[];
  readonly #growing: Growing;
  #reproducible: boolean;
  #asked = false;
  #isWriting = false;
  #isLeft = false;

  constructor(
    opened: OpenedExports,
    { request, build, signal }: AbortOptions & { readonly request: SolveRequest; readonly build: Build },
    services: ExportServices & AheadOfExports,
  ) {
    this.#request = request;
    this.#build = build;
    this.#signal = signal;
    this.#services = services;
    this.#opened = opened;
    this.#outputs = opened.exporters.map((exporter) => ({ exporter, moved: new MovedTally() }));
    this.#caches = opened.caches.exporters.map((cache) => ({ cache, moved: new MovedTally() }));
    this.#reproducible =
      isTimeAsked(request.frontendAttrs) || opened.exporters.some((one) => one.compression?.reproducible === true);
    const isReproducible = () => this.#reproducible;
    const { job } = build;
    this.#growing = services.continuous.begin({
      ...{ job: job.id, scopes: job.scope.read, signal },
      caches: new Map(
        this.#caches.flatMap(({ cache: { continuous, ahead = continuous }, moved }) =>
          ahead ? [[ahead, moved.moved] as const] : [],
        ),
      ),
      context: {
        ...this.#access(),
        exporterId: opened.exporters.length,
        get reproducible() {
          return isReproducible();
        },
        imageHosts: new Set(opened.exporters.flatMap(({ ahead }) => ahead?.hosts ?? [])),
      },
    });
    for (const { cache } of this.#caches)
      cache.begin?.({ owner: job.owner, sessions: job.sessions, scope: job.scope.write, until: signal });
  }

  /** Whether the result is made, and its outputs are what the build waits for. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** Has the result made, and writes it. @throws CodedError */
  async write(result: BridgeResult, attesting: Attesting): Promise<Extract<BuildEnd, { kind: 'done' }>> {
    this.#reproducible ||= isTimeTold(result);
    const signal = this.#signal;
    const plan = planExport(this.#build, result);
    const isTold = attesting.asked || (this.#request.recorded ?? 'whole') === 'whole';
    let parts: readonly CapturedPart[] | undefined;
    await using packing = this.#expect(plan);
    await this.#build.job.use(
      plan.edges,
      async (built) => {
        // It was given up a moment before.
        if (this.#isLeft) throw cancelledError('the build was given up');
        this.#isWriting = true;
        packing.stop();
        for (const { ahead } of this.#opened.exporters) ahead?.stop();
        this.#growing.giveWay();
        // Of each attempt: what was lost may have been made in another way.
        if (isTold) parts = await attesting.capture(this.#build, result, { signal });
        const made = plan.source(built);
        const source = parts === undefined ? made : attesting.attested(this.#build, made, parts);
        await this.#askClient(source, built);
        await this.#writeOutputs(source, built);
        // After the outputs, whose layers they take as they were packed.
        await this.#writeCaches(built);
      },
      { signal },
    );
    const provenance = parts === undefined ? undefined : attesting.built(parts);
    const { outcome, exports } = this.#outcome(result);
    const { session } = this.#request;
    await this.#client?.finalize(session, outcome.exporterResponse, { signal });
    return { kind: 'done', outcome, exports, provenance };
  }

  /** The build has failed: what it had finished is left to who builds next. */
  async leave(): Promise<void> {
    this.#isLeft = true;
    const growing = this.#growing;
    await growing.stop();
    // Side by side: whoever waits for the error waits for the slowest of them, not for all.
    await Promise.all(
      this.#caches.map(async ({ cache: { continuous, name } }, n) => {
        if (continuous === undefined || !growing.hasMore(continuous)) return;
        await this.#build.job
          .inVertex({ name, id: this.#vertex('cache', n) }, (progress) => growing.leave(continuous, { progress }))
          .catch((error: unknown) =>
            this.#services.log.info('what a failed build had finished could not be left', { err: error }),
          );
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#growing[Symbol.asyncDispose]();
  }

  get #client(): SessionExports | undefined {
    return this.#request.sessionExporters === true ? this.#services.sessionExports : undefined;
  }

  #access(): Pick<ExportContext, 'owner' | 'sessions'> & { readonly limits: NonNullable<ExportContext['limits']> } {
    const { owner, sessions } = this.#build.job;
    const { limits = NO_LIMITS } = this.#request;
    return { owner, sessions, limits: () => limits };
  }

  #vertex(of: 'export' | 'cache', n: number): string {
    const { session, ref } = this.#request;
    return `${session || ref}-${of}-${n}`;
  }

  /** Layers of images are packed from now on, and pushed where their exporters say so. */
  #expect({ images }: ExportPlan) {
    const reproducible = this.#reproducible;
    const access = this.#access();
    const ahead = this.#outputs.flatMap(({ exporter: { ahead: pushing }, moved: { moved } }, exporterId) => {
      const context = { ...access, progress: SILENT, reproducible, exporterId, moved };
      return pushing
        ? [(ref: ImmutableRef, options: AbortOptions) => pushing.push(ref, { ...context, ...options })]
        : [];
    });
    const compressions = this.#opened.exporters.flatMap(({ compression: one }) =>
      one ? [compressionFor({ reproducible }, one)] : [],
    );
    return this.#services.packing.expect({
      ...{ job: this.#build.job.id, edges: images, compressions, ahead, signal: this.#signal },
      ...access,
    });
  }

  /** Further outputs that the client names once there is something to see: once only. */
  async #askClient({ metadata }: ExportSource, built: readonly BuiltResult<ImmutableRef>[]): Promise<void> {
    const { open } = this.#opened;
    if (this.#client === undefined || this.#asked) return;
    const refs = built.map(({ result: { id } }) => id);
    const found = await this.#client.find(this.#request.session, { metadata, refs }, { signal: this.#signal });
    this.#asked = true;
    this.#outputs.push(...found.map((one) => ({ exporter: open(one), moved: new MovedTally() })));
  }

  /** All at once. The first failure ends the others; a lost result does not. */
  async #writeOutputs(source: ExportSource, built: readonly BuiltResult<ImmutableRef>[]): Promise<void> {
    const { job } = this.#build;
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#signal, failed.signal]);
    const platforms = this.#request.frontendAttrs.get('platform')?.split(',');
    const requested = platforms ?? [formatPlatform(this.#services.worker.platforms[0]!)];
    const warnings = platformWarnings(source, requested);
    const inlineRecords = inlineRecordsOf(this.#opened.caches.inline, built, job.scope.read);
    const common = { ...this.#access(), signal, reproducible: this.#reproducible, inlineRecords };
    const write = async (output: Output, exporterId: number): Promise<void> => {
      const { exporter, moved } = output;
      try {
        // One that has ended is not done again for the sake of another: the client takes a file only once.
        output.result ??= await job.inVertex(
          { name: exporter.name, id: this.#vertex('export', exporterId) },
          (progress) => {
            if (exporterId === 0) for (const short of warnings) progress.warn({ level: 1, short });
            return exporter.export(source, { ...common, progress, moved: moved.moved, exporterId });
          },
        );
      } catch (error) {
        if (findLostResult(error) === undefined) failed.abort(error);
        throw error;
      }
    };
    const outcomes = await Promise.allSettled(this.#outputs.map(write));
    if (failed.signal.aborted) throw failed.signal.reason;
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async #writeCaches(built: readonly BuiltResult<ImmutableRef>[]): Promise<void> {
    const { job } = this.#build;
    const cached = { roots: [...new Set(built.flatMap(({ keys }) => keys))], scopes: job.scope.read };
    const common = { ...this.#access(), signal: this.#signal, reproducible: this.#reproducible };
    await this.#growing.stop();
    for (const [n, one] of this.#caches.entries()) {
      const { cache, moved } = one;
      try {
        one.written ??= await job.inVertex({ name: cache.name, id: this.#vertex('cache', n) }, async (progress) => {
          const exporterId = this.#outputs.length + n;
          const written = await cache.export(cached, { ...common, progress, moved: moved.moved, exporterId });
          const problem = cache.continuous === undefined ? undefined : this.#growing.problem(cache.continuous);
          if (problem !== undefined) progress.warn(lateWarning(problem));
          return written;
        });
      } catch (error) {
        if (this.#signal.aborted || !cache.ignoreError || findLostResult(error) !== undefined) throw error;
        this.#services.log.info('a cache could not be written, and is not to fail its build', { err: error });
        one.error = toCodedError(error);
        one.written = { response: {} };
      }
    }
  }

  #outcome({ metadata }: BridgeResult): { readonly outcome: SolveOutcome; readonly exports: readonly ExportResult[] } {
    const outputs = this.#outputs.map(({ result, moved }) => ({ result: result!, moved }));
    const exports = outputs.map(({ result }) => result);
    const written = [...exports, ...this.#caches.map((one) => one.written!)];
    const exporterResponse: Record<string, string> = { ...frontendResponse({ metadata }) };
    for (const { response } of written) Object.assign(exporterResponse, response);
    return {
      exports,
      outcome: {
        exporterResponse,
        images: outputs.flatMap(({ result: { image }, moved }) => (image === undefined ? [] : [{ ...image, moved }])),
        caches: this.#caches.flatMap(({ cache: { target, mayHaveNothing }, moved, written: made, error }) => {
          const digest = made?.digest;
          if (mayHaveNothing === true && digest === undefined && error === undefined) return [];
          return [{ target, digest, moved, ...(error === undefined ? {} : { error }) }];
        }),
      },
    };
  }
}

/** Of a cache that is written now and was not to be while its build went on. */
function lateWarning(problem: unknown): VertexWarning {
  return {
    level: 1,
    short: 'the cache could be written at the end only: had the build failed, nothing would have been left of it',
    detail: [String(problem)],
  };
}

interface ExportPlan {
  readonly edges: readonly BuildRef['edge'][];
  /** Those of them whose layers are in images: what attestations are made from is read, and given to nobody. */
  readonly images: readonly BuildRef['edge'][];
  readonly source: (built: readonly BuiltResult<ImmutableRef>[]) => ExportSource;
}

/** The edges that a result stands for, and how their results are put back in its place. */
function planExport(build: Build, result: BridgeResult): ExportPlan {
  const edges: BuildRef['edge'][] = [];
  const place = (id: string | undefined): number | undefined => {
    const ref = id === undefined ? undefined : build.find(id);
    return ref === undefined ? undefined : edges.push(ref.edge) - 1;
  };
  const edgesAt = (all: readonly (number | undefined)[]) => all.flatMap((n) => (n === undefined ? [] : edges[n]!));
  const { metadata } = result;
  const at = (built: readonly BuiltResult<ImmutableRef>[], n: number | undefined) =>
    n === undefined ? undefined : built[n]!.result.value;
  const said = [...(result.attestations ?? [])].map(
    ([platform, all]) => [platform, all.map((given) => ({ given, place: place(given.ref?.id) }))] as const,
  );
  const attestations = (built: readonly BuiltResult<ImmutableRef>[]) =>
    new Map(
      said.map(([platform, all]) => [platform, all.map(({ given, place: n }) => ({ ...given, ref: at(built, n) }))]),
    );
  if (result.refs === undefined) {
    const only = place(result.ref?.id);
    return {
      ...{ edges, images: edgesAt([only]) },
      source: (built) => ({ ref: at(built, only), metadata, attestations: attestations(built) }),
    };
  }
  const places = [...result.refs].map(([id, ref]) => [id, place(ref.id)] as const);
  const refs = (built: readonly BuiltResult<ImmutableRef>[]) => new Map(places.map(([id, n]) => [id, at(built, n)]));
  return {
    ...{ edges, images: edgesAt(places.map(([, n]) => n)) },
    source: (built) => ({ refs: refs(built), metadata, attestations: attestations(built) }),
  };
}

/** SOURCE_DATE_EPOCH given as a build argument holds for every output that names none; where it is no number, it is for the frontend to understand. */
function withEpoch(
  attrs: Readonly<Record<string, string>>,
  frontendAttrs: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const epoch = frontendAttrs.get('build-arg:SOURCE_DATE_EPOCH');
  if (epoch === undefined || !/^(?:[+-]?\d+)?$/.test(epoch) || attrs['source-date-epoch'] !== undefined) return attrs;
  return { ...attrs, 'source-date-epoch': epoch };
}

/** Whether a build is told what time it is to be, in any form. */
function isTimeAsked(frontendAttrs: ReadonlyMap<string, string>): boolean {
  return (frontendAttrs.get('build-arg:SOURCE_DATE_EPOCH') ?? '') !== '';
}

/** Whether its frontend has found out. */
function isTimeTold({ metadata }: BridgeResult): boolean {
  return [...metadata].some(([key, value]) => key.startsWith('source.date.epoch') && value.length > 0);
}
