import { type AbortOptions, type Digest, inSlices, type Logger, newId, type WorkOptions } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { attestationRequests } from '../../dockerfile/index.ts';
import type { BuiltResult, KeyReader, OpContext, ResultStore } from '../../solver/index.ts';
import { type Pools, siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import { type ExportAttestation, type ExportSource, platformList } from '../exporters/index.ts';
import type { BridgeResult } from '../frontends/index.ts';
import type { Build } from './build.ts';
import { type ProvenanceOptions, provenanceOptions } from './provenance/options.ts';
import { PREDICATE_TYPE } from './provenance/predicate-task.ts';
import {
  type BuildTimes,
  type CapturedPart,
  captureResult,
  type ListedPlatform,
  predicateFacts,
} from './provenance/provenance.ts';
import { stepLayers } from './provenance/step-layers.ts';

const predicateTask = tasksOf<typeof import('./provenance/predicate-task.ts')>(
  siblingModule(import.meta.url, './provenance/predicate-task'),
);

interface AttestingServices {
  readonly pools: Pools;
  readonly keys: KeyReader;
  readonly results: Pick<ResultStore<ImmutableRef>, 'load'>;
  readonly log: Logger;
}

/** Bytes of a graph that records tell. */
const MOST_RECORDED = 8 << 20;

/** Writes the provenance of a part for the record of its build, with all that is known; of a huge graph without it. */
export async function writeProvenance(
  part: CapturedPart,
  { times, builderId }: BuiltProvenance,
  { path, pool, signal, owner }: WorkOptions & { readonly path: string; readonly pool: WorkerPool },
): Promise<{ readonly digest: Digest; readonly size: number; readonly predicateType: string }> {
  const bytes = part.ref.definition?.length ?? part.ref.graph.ops.reduce((sum, op) => sum + op.length, 0);
  const mode = bytes > MOST_RECORDED ? 'min' : 'max';
  const options = { version: 'v1', mode, builderId, reproducible: false, completeMaterials: false } as const;
  const facts = predicateFacts(part, options, times);
  const written = await pool.run(predicateTask('writePredicate'), { facts, path }, { signal, owner });
  return { ...written, predicateType: PREDICATE_TYPE.v1 };
}

/** What was made, as its record tells where it came from. */
export interface BuiltProvenance {
  readonly parts: readonly CapturedPart[];
  readonly times: BuildTimes;
  /** As the client names the builder. */
  readonly builderId: string;
}

/** What one solve attests of its result. */
export class Attesting {
  readonly #provenance: ProvenanceOptions | undefined;
  readonly #services: AttestingServices;
  readonly #invocationId = newId();
  readonly #startedAt = Date.now();
  #finishedAt: number | undefined;

  /** @throws CodedError invalid_argument for options that cannot be met */
  constructor(options: ReadonlyMap<string, string>, services: AttestingServices) {
    const { provenance } = attestationRequests(options);
    this.#provenance = provenance === undefined ? undefined : provenanceOptions(provenance);
    this.#services = services;
  }

  /** Whether attestations are asked for. */
  get asked(): boolean {
    return this.#provenance !== undefined;
  }

  /** What the parts of a result stand on, while its build holds them. */
  async capture(build: Build, result: BridgeResult, options: AbortOptions): Promise<BuiltProvenance> {
    const platforms = this.#platforms(result);
    const parts = await inSlices(captureResult(build, result, platforms), options);
    return { parts, times: this.#times, builderId: this.#provenance?.builderId ?? '' };
  }

  /** The result with what is attested of it. `built` are the results of its edges. */
  attested(
    build: Build,
    source: ExportSource,
    { parts }: BuiltProvenance,
    built: (part: CapturedPart) => BuiltResult<ImmutableRef> | undefined,
  ): ExportSource {
    const options = this.#provenance;
    if (options === undefined) return source;
    const attestations = new Map(source.attestations ?? []);
    for (const { id } of platformList(source)) {
      const part = parts.find((one) => one.id === id || one.id === '');
      if (part === undefined) continue;
      const made = this.#attestation(build, part, options, built(part)?.keys ?? []);
      attestations.set(id, [...(attestations.get(id) ?? []), made]);
    }
    return { ...source, attestations };
  }

  #attestation(
    build: Build,
    part: CapturedPart,
    options: ProvenanceOptions,
    roots: readonly string[],
  ): ExportAttestation {
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
          ...{ scope: job.scope.write, progress: { status() {}, log() {}, warn() {} } },
        };
        const layers = options.mode === 'max' ? await stepLayers(job, part, roots, { keys, results }, access) : [];
        const facts = predicateFacts(part, options, this.#times, layers);
        return await pools.bulk.run(predicateTask('encodePredicate'), facts, context);
      },
    };
  }

  /** Its end is when what is made is first told of. */
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
