import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import {
  type AbortOptions,
  CodedError,
  type Digest,
  digestOf,
  type Logger,
  type ProxySettings,
  parseImageReference,
  restated,
  Semaphore,
  sleep,
  toCodedError,
} from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import { RegistryClient, type Repository } from '../../oci/registry-client/index.ts';
import { type Attempt, type Build, type BuildRun, isOver } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import { buildType } from '../resource-types.ts';
import type { Prepared } from '../run/prepare.ts';
import { type Informer, type KubeClient, keyOf } from '../runtime/index.ts';
import type { AttemptLog } from './sources.ts';

const { StatusResponse } = wire.moby.buildkit.v1;
type StatusResponse = InstanceType<typeof StatusResponse>;

interface KeptLogsParts {
  readonly kube: Pick<KubeClient, 'get'>;
  readonly runs: Informer<KnownRun>;
  readonly proxies: ProxySettings;
  /** The builder's, which is what is kept. */
  readonly builderLog: AttemptLog;
  /** How long they are kept once the run is over. */
  readonly retentionMs: number;
  /** The run's plan and credentials; with a spec, as if it were the run's. */
  readonly prepare: (run: KnownRun, options: AbortOptions & { readonly spec?: Build['spec'] }) => Promise<Prepared>;
  readonly log: Logger;
}

const ARTIFACT = 'application/vnd.slipway.build.log.v1';
/** Messages of `moby.buildkit.v1.StatusResponse`, each after its length (uint32, little endian). */
const LAYER = 'application/vnd.slipway.build.log.v1+gzip';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY = 'application/vnd.oci.empty.v1+json';

/** Bytes of a log that go into one layer, and are held for it. */
const PORTION = 1 << 20;
const MAX_LAYERS = 1000;
const MAX_MANIFEST = 1 << 20;
/** Of one layer, packed and unpacked: a step of very many inputs makes a message of megabytes. */
const MAX_PACKED = 64 << 20;
const MAX_UNPACKED = 80 << 20;
const KEEP_MS = 60_000;
const SWEEP_MS = 300_000;
/** Logs that are pushed, or deleted, at once. */
const AT_ONCE = 4;

const manifestSchema = z.object({
  artifactType: z.literal(ARTIFACT),
  layers: z
    .array(
      z.object({
        mediaType: z.literal(LAYER),
        digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
        size: z.number().int().min(1).max(MAX_PACKED),
      }),
    )
    .max(MAX_LAYERS),
});

/**
 * Logs of attempts as artifacts of a registry, beside the first image of the Build and with its credentials, under the tag `slipway-log-<uid of the run>-<attempt>`: whole, in layers of a portion each, so that neither who writes nor who reads holds more
 * than one. They go when their time is over, and with their run as long as its Build is there to give credentials.
 */
export class KeptLogs implements Disposable {
  readonly #parts: KeptLogsParts;
  readonly #client: RegistryClient;
  readonly #places = new Semaphore(AT_ONCE);
  /** Uids of runs whose logs went. */
  readonly #gone = new Set<string>();

  constructor(parts: KeptLogsParts) {
    this.#parts = parts;
    this.#client = new RegistryClient({ proxies: parts.proxies });
  }

  /** Keeps what the builder has of an attempt that is over; that it cannot is told in the operator's log alone. */
  async keep(uid: string, number: number, options: AbortOptions): Promise<void> {
    const { runs, log } = this.#parts;
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(KEEP_MS)]);
    const run = runs.list().find(({ metadata }) => metadata.uid === uid);
    const attempt = run?.status?.attempts?.find((one) => one.number === number);
    if (run === undefined || attempt === undefined) return;
    try {
      using _place = await this.#places.acquire({ signal });
      const repository = await this.#repositoryOf(run, { signal });
      if (repository !== undefined) await this.#push(repository, run, attempt, { signal });
    } catch (error) {
      log.warn('the log of a run is not kept', { run: keyOf(run), attempt: number, err: toCodedError(error) });
    }
  }

  async #push(repository: Repository, run: KnownRun, attempt: Attempt, { signal }: AbortOptions): Promise<void> {
    const layers: object[] = [];
    const push = async (bytes: Uint8Array) => {
      const digest = digestOf(bytes);
      const open = async () => ReadableStream.from([bytes]);
      await repository.pushBlob({ digest, size: bytes.length, open }, { signal });
      return { digest, size: bytes.length };
    };
    for await (const portion of portions(this.#parts.builderLog(run, attempt, { signal, follow: true }))) {
      if (layers.length === MAX_LAYERS) throw new CodedError('resource_exhausted', 'the log is too long to be kept');
      layers.push({ mediaType: LAYER, ...(await push(await promisify(gzip)(portion))) });
    }
    const config = { mediaType: EMPTY, ...(await push(Buffer.from('{}'))) };
    const annotations = {
      'build.slipway.run': keyOf(run),
      'build.slipway.uid': run.metadata.uid as string,
      'build.slipway.attempt': String(attempt.number),
    };
    const manifest = { schemaVersion: 2, mediaType: MANIFEST, artifactType: ARTIFACT, config, layers, annotations };
    const bytes = Buffer.from(JSON.stringify(manifest));
    await repository.putManifest(tagOf(run, attempt.number), { mediaType: MANIFEST, bytes }, { signal });
  }

  /** What was kept. @throws CodedError not_found where nothing was */
  readonly read: AttemptLog = (run, attempt, options) => this.#read(run, attempt, options);

  async *#read(run: KnownRun, { number }: Attempt, { signal }: AbortOptions): AsyncGenerator<StatusResponse, void> {
    const repository = await this.#repositoryOf(run, { signal });
    if (repository === undefined)
      throw new CodedError('not_found', 'none is kept: the Build names no image', { fault: 'user' });
    const { bytes } = await repository.getManifest(tagOf(run, number), { signal, maxBytes: MAX_MANIFEST });
    const parsed = manifestSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    if (!parsed.success) throw new CodedError('data_loss', `${repository.path}:${tagOf(run, number)} is no log`);
    for (const { digest, size } of parsed.data.layers) {
      const of = { mediaType: LAYER, digest: digest as Digest, size };
      const packed = await repository.getBlob(of, { signal, maxBytes: MAX_PACKED });
      yield* messages(await promisify(gunzip)(packed, { maxOutputLength: MAX_UNPACKED }));
    }
  }

  /** Deletes logs whose time is over, until the signal; for who leads. */
  async sweep({ signal }: AbortOptions): Promise<void> {
    const { runs, retentionMs } = this.#parts;
    while (!signal.aborted) {
      const all = runs.list();
      const there = new Set(all.map(({ metadata }) => metadata.uid as string));
      for (const uid of this.#gone) if (!there.has(uid)) this.#gone.delete(uid);
      for (const run of all) {
        const { phase, completedAt } = run.status ?? {};
        const uid = run.metadata.uid as string;
        if (!isOver(phase) || this.#gone.has(uid) || signal.aborted) continue;
        if (Date.parse(completedAt ?? '') + retentionMs > Date.now()) continue;
        await this.#delete(run, undefined, { signal });
        this.#gone.add(uid);
      }
      await sleep(SWEEP_MS, { signal }).catch(() => {});
    }
  }

  /** Of a run that is no more: its logs go as the Build of today may have them go. */
  async forget(run: KnownRun, { signal }: AbortOptions): Promise<void> {
    if (this.#gone.delete(run.metadata.uid as string)) return;
    try {
      const key = { namespace: run.metadata.namespace, name: run.spec.buildRef.name };
      const { spec } = await this.#parts.kube.get(buildType, key, { signal });
      await this.#delete(run, spec, { signal });
    } catch (error) {
      if (toCodedError(error).code !== 'not_found')
        this.#parts.log.warn('the logs of a run stay', { run: keyOf(run), err: toCodedError(error) });
    }
  }

  async #delete(run: KnownRun, spec: Build['spec'] | undefined, { signal }: AbortOptions): Promise<void> {
    try {
      using _place = await this.#places.acquire({ signal });
      const repository = await this.#repositoryOf(run, { signal, ...(spec === undefined ? {} : { spec }) });
      for (const { number } of repository === undefined ? [] : (run.status?.attempts ?? []))
        try {
          const { digest } = await (repository as Repository).resolve(tagOf(run, number), { signal });
          await repository?.deleteManifest(digest, { signal });
        } catch (error) {
          if (toCodedError(error).code !== 'not_found') throw error;
        }
    } catch (error) {
      if (!signal.aborted)
        this.#parts.log.warn('the logs of a run stay', { run: keyOf(run), err: toCodedError(error) });
    }
  }

  /** Where a run's logs are kept; undefined where it pushes nothing. @throws CodedError when its credentials are not to be had */
  async #repositoryOf(
    run: KnownRun,
    options: AbortOptions & { readonly spec?: Build['spec'] },
  ): Promise<Repository | undefined> {
    const prepared = await this.#parts.prepare(run, options);
    if (prepared.kind === 'refused') return undefined;
    if (prepared.kind === 'waiting') throw new CodedError('failed_precondition', prepared.message, { fault: 'user' });
    const { exporters } = prepared.plan;
    const exporter = exporters.find(({ attrs }) => attrs['name'] !== undefined);
    const name = exporter?.attrs['name']?.split(',')[0];
    if (name === undefined || name === '') return undefined;
    const { credentials } = prepared.sources;
    return this.#client.repository(
      parseImageReference(name),
      { credentials: async (host, { signal }) => (await credentials?.(host, { signal })) ?? { kind: 'anonymous' } },
      { insecure: exporter?.attrs['registry.insecure'] === 'true' },
    );
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

const tagOf = ({ metadata }: Pick<BuildRun | KnownRun, 'metadata'>, attempt: number): string =>
  `slipway-log-${metadata.uid}-${attempt}`;

/** Messages as they are kept, in portions of whole ones. */
async function* portions(log: AsyncIterable<StatusResponse>): AsyncGenerator<Uint8Array, void> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const response of log) {
    const message = StatusResponse.encode(response).finish();
    const head = Buffer.alloc(4);
    head.writeUInt32LE(message.length);
    pieces.push(head, message);
    bytes += head.length + message.length;
    if (bytes < PORTION) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces);
}

/** @throws CodedError data_loss */
function* messages(bytes: Buffer): Generator<StatusResponse, void> {
  for (let at = 0; at < bytes.length; ) {
    const length = at + 4 <= bytes.length ? bytes.readUInt32LE(at) : Number.POSITIVE_INFINITY;
    if (at + 4 + length > bytes.length) throw new CodedError('data_loss', 'a log that was kept is damaged');
    yield StatusResponse.decode(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
}

/** The builder's, or what was kept where that has none, or is gone, of an attempt that is over. */
export function builderOrKept(builder: AttemptLog, kept: AttemptLog): AttemptLog {
  return async function* (run, attempt, options) {
    let told = 0;
    let failure: CodedError;
    try {
      for await (const response of builder(run, attempt, options)) {
        told++;
        yield response;
      }
      return;
    } catch (error) {
      options.signal.throwIfAborted();
      if (attempt.completedAt === undefined) throw error;
      failure = toCodedError(error);
    }
    try {
      // The same messages in the same order.
      for await (const response of kept(run, attempt, options)) if (told-- <= 0) yield response;
    } catch (error) {
      options.signal.throwIfAborted();
      throw restated(failure, { message: `${failure.message}; of what was kept: ${toCodedError(error).message}` });
    }
  };
}
