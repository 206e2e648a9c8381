import {
  type AbortOptions,
  type Digest,
  inSlices,
  type Logger,
  NO_LIMITS,
  newId,
  type WorkOptions,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import {
  attestationRequests,
  CORE_SCAN,
  type SbomRequest,
  SPDX,
  scanDefinition,
  scanMetadata,
  scannerOf,
} from '../../dockerfile/index.ts';
import { givenOutput } from '../../llb/index.ts';
import type { KeyedVertex, OpContext } from '../../solver/index.ts';
import { type Pools, siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import { type ExportAttestation, type ExportSource, platformList } from '../exporters/index.ts';
import type { BridgeAttestation, BridgeRef, BridgeResult } from '../frontends/index.ts';
import { scanTask } from '../sbom/index.ts';
import type { Build } from './build.ts';
import { type ProvenanceOptions, provenanceOptions } from './provenance/options.ts';
import { keptFacts } from './provenance/predicate-facts.ts';
import { PREDICATE_TYPE } from './provenance/predicate-task.ts';
import {
  type BuildTimes,
  type CapturedPart,
  captureResult,
  type ListedPlatform,
  predicateFacts,
} from './provenance/provenance.ts';
import { type StepLayerStores, stepLayers, stepOutputs } from './provenance/step-layers.ts';
import { SILENT } from './silent.ts';

const predicateTask = tasksOf<typeof import('./provenance/predicate-task.ts')>(
  siblingModule(import.meta.url, './provenance/predicate-task'),
);

interface AttestingServices extends StepLayerStores {
  readonly pools: Pools;
  readonly log: Logger;
}

/** Bytes of a graph that records tell. */
const MOST_RECORDED = 8 << 20;

/** What the record of a build keeps to tell the provenance of a part, with all that is known; of a huge graph without it. */
export async function keptProvenance(
  part: CapturedPart,
  { keyed, scopes }: { readonly keyed: Iterable<KeyedVertex>; readonly scopes: readonly string[] },
  { times, builderId }: BuiltProvenance,
  options: AbortOptions,
): Promise<readonly Uint8Array[]> {
  const bytes = part.ref.definition?.length ?? part.ref.graph.ops.reduce((sum, op) => sum + op.length, 0);
  const kept = { version: 'v1', builderId, reproducible: false, completeMaterials: false } as const;
  if (bytes > MOST_RECORDED) return keptFacts(predicateFacts(part, { ...kept, mode: 'min' }, times));
  const outputs = await inSlices(stepOutputs(keyed, part.ref), options);
  return keptFacts({ ...predicateFacts(part, { ...kept, mode: 'max' }, times), steps: { outputs, scopes } });
}

/** Makes the predicate of what was kept in a file, with the layers that are still there, and puts it in its place. */
export async function writeProvenance(
  path: string,
  { pool, stores, ...options }: WorkOptions & { readonly pool: WorkerPool; readonly stores: StepLayerStores },
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const { outputs = [], scopes = [] } = (await pool.run(predicateTask('keptSteps'), { path }, options)) ?? {};
  const context = { ...options, scope: scopes[0] ?? '', sessions: () => [], limits: () => NO_LIMITS, progress: SILENT };
  const layers = await stepLayers(outputs, scopes, stores, context);
  return await pool.run(predicateTask('writePredicate'), { path, layers }, options);
}

/** Type of the predicate that {@link writeProvenance} makes. */
export const RECORDED_PREDICATE = PREDICATE_TYPE.v1;

/** What was made, as its record tells where it came from. */
export interface BuiltProvenance {
  readonly parts: readonly CapturedPart[];
  readonly times: BuildTimes;
  /** As the client names the builder. */
  readonly builderId: string;
}

/** The last of the year 9999. */
const LAST_SECOND = 253_402_300_799;

/** What one solve attests of its result. */
export class Attesting {
  readonly #options: ReadonlyMap<string, string>;
  readonly #sbom: SbomRequest | undefined;
  readonly #provenance: ProvenanceOptions | undefined;
  readonly #services: AttestingServices;
  readonly #invocationId = newId();
  readonly #startedAt = Date.now();
  /** SBOMs of the builder's own, for all exporters, by what they are of: a result that was lost and made anew has one of its own. */
  readonly #documents = new Map<string, Promise<Uint8Array>>();
  /** Metadata of the attestations that they are. */
  readonly #own = new WeakSet<BridgeAttestation['metadata']>();
  #finishedAt: number | undefined;

  /** @throws CodedError invalid_argument for options that cannot be met */
  constructor(options: ReadonlyMap<string, string>, services: AttestingServices) {
    const { sbom, provenance } = attestationRequests(options);
    this.#options = options;
    this.#sbom = sbom;
    this.#provenance = provenance === undefined ? undefined : provenanceOptions(provenance);
    this.#services = services;
  }

  /** Whether attestations are asked for. */
  get asked(): boolean {
    return this.#provenance !== undefined || this.#sbom !== undefined;
  }

  /** The result with the scans that make its SBOM, where one is asked for and its frontend gave none. */
  async withScans(build: Build, result: BridgeResult, { signal }: AbortOptions): Promise<BridgeResult> {
    const sbom = this.#sbom;
    if (sbom === undefined) return result;
    const attestations = new Map(result.attestations ?? []);
    if ([...attestations.values()].some((all) => all.some(({ predicateType }) => predicateType === SPDX)))
      return result;
    for (const { id } of platformList(result)) {
      const ref = result.refs?.get(id) ?? result.ref;
      if (ref === undefined || ref.id === '') continue;
      const made =
        sbom.generator === undefined
          ? this.#ownScans(build, ref)
          : [await this.#runOf(build, ref, id, { ...sbom, generator: sbom.generator }, signal)];
      attestations.set(id, [...(attestations.get(id) ?? []), ...made]);
    }
    return { ...result, attestations };
  }

  /** Scans by the builder itself: of the result, and of what its frontend names beside it. */
  #ownScans(build: Build, core: BridgeRef): readonly BridgeAttestation[] {
    const beside = build.scansBeside(core.id).map(({ name, ref }) => ({ name: `${CORE_SCAN}-${name}`, ref }));
    return [{ name: CORE_SCAN, ref: core }, ...beside].flatMap(({ name, ref }) => {
      if (ref === undefined || ref.id === '') return [];
      const metadata = scanMetadata();
      this.#own.add(metadata);
      const path = `${name.replace(/[^A-Za-z0-9._-]+/g, '-')}.spdx.json`;
      return [{ kind: 'in-toto', metadata, ref, path, predicateType: SPDX, subjects: [] }];
    });
  }

  /** A run of a scanner image over a result. */
  async #runOf(
    build: Build,
    { id: ref }: BridgeRef,
    id: string,
    { generator, parameters }: SbomRequest & { readonly generator: string },
    signal: AbortSignal,
  ): Promise<BridgeAttestation> {
    const scope = build.aside();
    const bridge = build.bridge(new Map(), scope);
    const platform = bridge.workers[0]!.platforms[0]!;
    const resolveMode = this.#options.get('image-resolve-mode') ?? 'default';
    const logName = `[internal] load metadata for ${generator}`;
    const image = await bridge.resolveImageConfig({ reference: generator, platform, resolveMode, logName }, { signal });
    const scanner = scannerOf({ reference: generator, config: image.config }, platform, parameters);
    const core = build.find(ref);
    const definition = scanDefinition(scanner, id, {
      core: core === undefined ? undefined : givenOutput(core.graph),
      extras: new Map(),
      ignoreCache: this.#options.get('no-cache') === '',
    });
    const run = await build.load(definition, { signal, scope });
    return {
      kind: 'bundle',
      metadata: scanMetadata(),
      ref: { id: run?.id ?? '' },
      path: '',
      predicateType: SPDX,
      subjects: [],
    };
  }

  /** What the parts of a result stand on, while its build holds them. */
  async capture(build: Build, result: BridgeResult, options: AbortOptions): Promise<readonly CapturedPart[]> {
    return await inSlices(captureResult(build, result, this.#platforms(result)), options);
  }

  /** The same for the build's record, once all is exported. */
  built(parts: readonly CapturedPart[]): BuiltProvenance {
    return { parts, times: this.#times, builderId: this.#provenance?.builderId ?? '' };
  }

  /** The result with what is attested of it. */
  attested(build: Build, source: ExportSource, parts: readonly CapturedPart[]): ExportSource {
    const options = this.#provenance;
    const attestations = new Map(
      [...(source.attestations ?? [])].map(([id, all]) => [
        id,
        all.map((one) => this.#scanned(build, source, id, one)),
      ]),
    );
    if (options === undefined) return { ...source, attestations };
    for (const { id } of platformList(source)) {
      const part = parts.find((one) => one.id === id || one.id === '');
      if (part === undefined) continue;
      const made = this.#attestation(build, part, options);
      attestations.set(id, [...(attestations.get(id) ?? []), made]);
    }
    return { ...source, attestations };
  }

  /** One that the builder is to make by scanning its ref. */
  #scanned(build: Build, source: ExportSource, platform: string, attestation: ExportAttestation): ExportAttestation {
    const { ref, path, metadata } = attestation;
    if (ref === undefined || !this.#own.has(metadata)) return attestation;
    const created = this.#createdOf(source, platform);
    const scan = { name: path.replace(/\.spdx\.json$/, ''), created };
    return { ...attestation, content: (context) => this.#document(build, ref, platform, scan, context) };
  }

  /** Made once for all exporters. */
  async #document(
    { job }: Build,
    ref: ImmutableRef,
    platform: string,
    scan: { readonly name: string; readonly created: string },
    { signal, owner }: WorkOptions,
  ): Promise<Uint8Array> {
    const key = JSON.stringify([ref.id, platform, scan.name]);
    const known = this.#documents.get(key);
    if (known !== undefined) return await known;
    const { bulk } = this.#services.pools;
    const make = async () => {
      await using mounted = await ref.mount({ signal, owner, limits: () => job.limits, sessions: job.sessions });
      return await job.inVertex({ name: `[${platform}] generating ${scan.name}` }, () =>
        bulk.run(scanTask('scanTree'), { root: mounted.root, ...scan }, { signal, owner }),
      );
    };
    const made = make();
    this.#documents.set(key, made);
    // Whoever comes after a failure tries again.
    made.catch(() => this.#documents.delete(key));
    return await made;
  }

  /** The time that a document is given: the one that the build is set to, else that of its beginning. */
  #createdOf({ metadata }: ExportSource, platform: string): string {
    const told = metadata.get(`source.date.epoch/${platform}`) ?? metadata.get('source.date.epoch');
    const text = told === undefined ? this.#options.get('build-arg:SOURCE_DATE_EPOCH') : Buffer.from(told).toString();
    const seconds = text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : Math.floor(this.#startedAt / 1000);
    return `${new Date(Math.min(seconds, LAST_SECOND) * 1000).toISOString().slice(0, 19)}Z`;
  }

  #attestation(build: Build, part: CapturedPart, options: ProvenanceOptions): ExportAttestation {
    const { pools, keys, results } = this.#services;
    const text = (value: string) => Buffer.from(value);
    return {
      kind: 'in-toto',
      path: options.filename,
      predicateType: PREDICATE_TYPE[options.version],
      subjects: [],
      ref: undefined,
      metadata: new Map([
        ['reason', text('provenance')],
        ['inline-only', text(String(options.inlineOnly))],
      ]),
      content: async (context) => {
        const { job } = build;
        const access: OpContext = {
          ...{ signal: context.signal, owner: job.owner, sessions: job.sessions, limits: () => job.limits },
          ...{ scope: job.scope.write, progress: SILENT },
        };
        const steps = options.mode === 'max' ? await inSlices(stepOutputs(job.keyed(), part.ref), context) : [];
        const layers = await stepLayers(steps, job.scope.read, { keys, results }, access);
        const facts = predicateFacts(part, options, this.#times, layers);
        return await pools.bulk.run(predicateTask('encodePredicate'), facts, context);
      },
    };
  }

  /** Its end is when its provenance is first told: to an exporter that has packed its layers, else to the record once all is exported. */
  get #times(): BuildTimes {
    this.#finishedAt ??= Date.now();
    return { invocationId: this.#invocationId, startedAt: this.#startedAt, finishedAt: this.#finishedAt };
  }

  #platforms({ metadata }: BridgeResult): readonly ListedPlatform[] {
    try {
      return platformList({ metadata });
    } catch (error) {
      if (this.asked) throw error;
      // The exporter says what is wrong, if there is one; the record goes without.
      this.#services.log.debug('the platforms of a result are not known', { err: error });
      return [];
    }
  }
}
