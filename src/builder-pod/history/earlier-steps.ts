import { type AbortOptions, type Digest, digestOf, inSlices, mapFor } from '../../base/index.ts';
import type { RecordedPart } from './key-parts.ts';
import type { RecordedVertex } from './recorded-keys.ts';

/** Records of builds that are looked at for one explanation, and those after which a step that was found in them is looked for no more. */
const MOST_RECORDS = 64;
const ENOUGH_RECORDS = 4;
/** Of all these records together: they are held in memory while the explanation is made. */
const MOST_VERTICES = 20_000;
/** Steps of one record that are alike in a way, and are held against a step. */
const MOST_ALIKE = 32;

/** A step that an earlier one is looked for, and how it stands in its build. */
interface SoughtStep {
  readonly vertex: RecordedVertex;
  /** Names of the step and of all that it stands on. */
  readonly lineage: string;
  /** The op and what it stands on, whatever the op does there. */
  readonly place: string | undefined;
  /** Whether the op is known to have been run before. */
  readonly isSameOp: boolean;
}

interface Nearest {
  readonly vertex: RecordedVertex;
  readonly distance: readonly number[];
}

/** Steps of earlier builds, which are read newest first and no further than is needed. */
export class EarlierSteps {
  readonly #records: AsyncIterator<readonly RecordedVertex[], void>;
  readonly #read: IndexedRecord[] = [];
  #vertices = 0;

  constructor(records: AsyncIterator<readonly RecordedVertex[], void>) {
    this.#records = records;
  }

  /** The step of an earlier build that has most in common with this one, the newest of equals. */
  async nearest(sought: SoughtStep, options: AbortOptions): Promise<RecordedVertex | undefined> {
    let nearest: Nearest | undefined;
    let found = 0;
    for (let at = 0; at < MOST_RECORDS && found < ENOUGH_RECORDS; at++) {
      const record = this.#read[at] ?? (await this.#next(options));
      if (record === undefined) break;
      const here = record.nearest(sought);
      if (here === undefined) continue;
      found++;
      if (nearest === undefined || compare(here.distance, nearest.distance) < 0) nearest = here;
    }
    return nearest?.vertex;
  }

  async #next(options: AbortOptions): Promise<IndexedRecord | undefined> {
    if (this.#vertices >= MOST_VERTICES) return undefined;
    const next = await this.#records.next();
    if (next.done === true) return undefined;
    this.#vertices += next.value.length;
    const record = await inSlices(IndexedRecord.of(next.value), options);
    this.#read.push(record);
    return record;
  }
}

class IndexedRecord {
  readonly #byKey = new Map<string, RecordedVertex[]>();
  readonly #lineages: ReadonlyMap<Digest, string>;

  private constructor(known: ReadonlyMap<Digest, string>) {
    this.#lineages = known;
  }

  static *of(vertices: readonly RecordedVertex[]): Generator<void, IndexedRecord, void> {
    const record = new IndexedRecord(yield* lineages(vertices));
    for (const vertex of vertices) {
      for (const key of record.#keysOf(vertex)) record.#add(key, vertex);
      yield;
    }
    return record;
  }

  nearest(sought: SoughtStep): Nearest | undefined {
    const { vertex, lineage, place, isSameOp } = sought;
    const keys = [`lineage ${lineage}`, ...keysOfStep(vertex), ...(place === undefined ? [] : [place])];
    let nearest: Nearest | undefined;
    for (const [tier, key] of keys.entries())
      for (const candidate of this.#byKey.get(key) ?? []) {
        const differing = differingParts(vertex, candidate).length;
        const distance = [isSameOp && differing > 0 ? 1 : 0, tier, differing, differingInputs(vertex, candidate)];
        if (nearest === undefined || compare(distance, nearest.distance) < 0) nearest = { vertex: candidate, distance };
      }
    return nearest;
  }

  #keysOf(vertex: RecordedVertex): readonly string[] {
    const place = placeOf(vertex, this.#lineages);
    const lineage = this.#lineages.get(vertex.digest) ?? '';
    return [`lineage ${lineage}`, ...keysOfStep(vertex), ...(place === undefined ? [] : [place])];
  }

  #add(key: string, vertex: RecordedVertex): void {
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, [vertex]);
    else if (known.length < MOST_ALIKE) known.push(vertex);
  }
}

function keysOfStep({ name, maps }: RecordedVertex): readonly string[] {
  const [map] = maps;
  return [`name ${plainName(name)}`, ...(map?.parts === undefined ? [] : [`map ${map.digest}`])];
}

/** Of vertices, inputs first: the names of each and of all that it stands on. Yields after each. */
export function* lineages(
  vertices: readonly Pick<RecordedVertex, 'digest' | 'name' | 'inputs'>[],
): Generator<void, ReadonlyMap<Digest, string>, void> {
  const known = mapFor<Digest, string>(vertices.length);
  for (const { digest, name, inputs } of vertices) {
    const below = distinct(inputs).map((vertex) => known.get(vertex) ?? '');
    known.set(digest, lineageOf(name, below));
    yield;
  }
  return known;
}

export function lineageOf(name: string, inputs: readonly string[]): string {
  return digestOf(JSON.stringify([plainName(name), inputs]));
}

function distinct(inputs: RecordedVertex['inputs']): readonly Digest[] {
  return [...new Set(inputs.map(({ vertex }) => vertex))];
}

/** Where an op stands: on what; of a source, whose it is. */
export function placeOf(
  { name, maps, inputs }: RecordedVertex,
  known: { get(vertex: Digest): string | undefined },
): string | undefined {
  const kind = maps[0]?.parts?.find((part) => part.kind === 'op');
  if (kind === undefined) return undefined;
  if (inputs.length > 0)
    return `place ${digestOf(JSON.stringify([kind, distinct(inputs).map((vertex) => known.get(vertex) ?? '')]))}`;
  const stage = /^\[[^\]]*\] [A-Z]+(?= )/.exec(plainName(name))?.[0];
  return stage === undefined ? undefined : `source ${stage}`;
}

/** Without what is another where only other steps, the platform or a tag's image are. */
function plainName(name: string): string {
  return name
    .replace(/^\[(?:[a-z]+\/\S+ )?([^\]]*?) *\d+\/\d+\]/, '[$1]')
    .replace(/^\[[a-z]+\/\S+ /, '[')
    .replace(/@sha256:[0-9a-f]{64}/g, '');
}

/** A part of a key that is not as it was. */
export interface DifferingPart {
  readonly kind: RecordedPart['kind'];
  readonly name: string;
  readonly before: RecordedPart | undefined;
  readonly after: RecordedPart | undefined;
}

/** Parts of which two keys are not made alike, those that say most first. */
export function differingParts(now: RecordedVertex, before: RecordedVertex): readonly DifferingPart[] {
  const [is, was] = [partsOf(now), partsOf(before)];
  const differing: DifferingPart[] = [];
  for (const key of new Set([...is.keys(), ...was.keys()])) {
    const [after, earlier] = [is.get(key), was.get(key)];
    if (after !== undefined && earlier !== undefined && textOf(after) === textOf(earlier)) continue;
    const { kind, name } = (after ?? earlier)!;
    differing.push({ kind, name, before: earlier, after });
  }
  const weight = ({ kind }: DifferingPart) => SAYS_MOST.indexOf(kind);
  return differing.sort((a, b) => weight(a) - weight(b));
}

const SAYS_MOST: readonly RecordedPart['kind'][] = [
  'op',
  'platform',
  'base',
  'source',
  'arg',
  'env',
  'mount',
  'action',
  'option',
];

function partsOf({ maps }: RecordedVertex): ReadonlyMap<string, RecordedPart> {
  return new Map((maps[0]?.parts ?? []).map((part) => [`${part.kind} ${part.name}`, part]));
}

function textOf(part: RecordedPart): string {
  return 'value' in part ? part.value : part.digest;
}

function differingInputs(now: RecordedVertex, before: RecordedVertex): number {
  return now.inputs.filter(({ content }, i) => {
    const was = before.inputs[i]?.content;
    // Where one of them is not known, the other says nothing.
    return content === undefined ? false : was === undefined || was !== content;
  }).length;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [at, value] of a.entries()) if (value !== b[at]) return value - (b[at] ?? 0);
  return 0;
}
