import {
  type AbortOptions,
  CodedError,
  type Digest,
  HOUSE,
  inSlices,
  isTurnSpent,
  LargeMap,
  mapFor,
  nextTurn,
  type WorkOptions,
} from '../../base/index.ts';
import type { wire } from '../../builder-api/index.ts';
import type { ContentHasher } from '../../cache/contenthash/index.ts';
import type { RefManager } from '../../cache/ports.ts';
import type { VertexOp } from '../../llb/index.ts';
import { type KeyedVertex, MOST_KEYED_INPUTS, type SolverObserver, type Vertex } from '../../solver/index.ts';
import type { BuildObserver, UnreadCache } from '../engine/index.ts';
import { causeWords, stepName, withUnread } from './cause-words.ts';
import { causeOf, missedOutput } from './causes.ts';
import { EarlierSteps, lineageOf, lineages, placeOf } from './earlier-steps.ts';
import { type RecordedVertex, recordedVertex, withinTenant } from './recorded-keys.ts';
import type { Recorder } from './recorder.ts';

type MissedStep = wire.slipway.builder.v1.MissedStep.$Properties;
type ExplainResponse = wire.slipway.builder.v1.ExplainResponse.$Properties;

/** Files that are named of one step. */
const MOST_CHANGES = 20;
/** Steps of one message. */
const MOST_STEPS = 100;
/** Steps of one build that are explained while it runs; the record has all. */
const MOST_LIVE = 10_000;

interface ExplainerOptions {
  readonly history: Recorder;
  readonly refs: Pick<RefManager, 'get'>;
  readonly hasher: Pick<ContentHasher, 'changes'>;
}

/** A step of a build that runs, when it missed. */
interface LiveMiss {
  readonly vertex: Vertex;
  readonly keyed: () => KeyedVertex | undefined;
}

interface LiveBuild {
  readonly misses: LiveMiss[];
  readonly unread: () => readonly UnreadCache[];
}

type KeyedInput = RecordedVertex['inputs'][number];

/** Tells why steps were run, from the records of builds and of what their cache still holds; nothing is computed or kept for it but when somebody asks. */
export class Explainer {
  readonly #options: ExplainerOptions;
  /** Of builds under way. */
  readonly #live = new Map<string, LiveBuild>();

  constructor(options: ExplainerOptions) {
    this.#options = options;
  }

  readonly observe: BuildObserver = ({ build }) => {
    const { id } = build.job;
    this.#live.set(id, { misses: [], unread: () => build.unreadCaches });
    return { ended: () => void this.#live.delete(id) };
  };

  readonly observer: SolverObserver<VertexOp> = {
    missed: ({ vertex, jobs, keyed }) => {
      for (const job of jobs) {
        const misses = this.#live.get(job)?.misses;
        if (misses !== undefined && misses.length < MOST_LIVE) misses.push({ vertex, keyed });
      }
    },
  };

  /** Of a build of this scope that is over; the newest one for no ref. @throws CodedError not_found, failed_precondition while it runs */
  async *explain(scope: string, ref: string | undefined, options: AbortOptions): AsyncGenerator<ExplainResponse, void> {
    const { history } = this.#options;
    await history.settled(options);
    const name = ref ?? history.latest(scope);
    const isOver = name === undefined ? undefined : history.isOver(scope, name);
    if (name === undefined || isOver === undefined)
      throw new CodedError('not_found', name === undefined ? 'no build is recorded' : `no build record of ${name}`, {
        fault: 'user',
        hint: 'records are of this builder alone, and of the last builds; buildctl debug histories lists them',
      });
    if (!isOver)
      throw new CodedError('failed_precondition', `build ${name} is still running`, {
        fault: 'user',
        hint: 'ask again when it is over',
      });
    const vertices = (await history.keys(scope, name, options)) ?? [];
    const missed = vertices.filter((vertex) => missedOutput(vertex) !== undefined);
    const found = vertices.filter(({ outputs }) => outputs.some(({ outcome }) => outcome.kind === 'found'));
    yield { ref: name, steps: vertices.length, found: found.length, missed: [] };
    const names = await inSlices(namesOf(vertices), options);
    const known = await inSlices(lineages(vertices), options);
    const earlier = new EarlierSteps(history.earlierKeys(scope, name, options));
    const unread = history.unread(scope, name);
    let told: MissedStep[] = [];
    for (const vertex of missed) {
      if (isTurnSpent()) await nextTurn(options);
      const lineage = known.get(vertex.digest) ?? '';
      const nameOf = ({ vertex: input }: KeyedInput) => names.get(input) ?? 'an earlier step';
      told.push(await this.#step(vertex, { earlier, lineage, known, nameOf, unread }, { ...options, owner: HOUSE }));
      if (told.length < MOST_STEPS) continue;
      yield { missed: told };
      told = [];
    }
    if (told.length > 0) yield { missed: told };
  }

  /** Of a build under way, as steps miss: call it again and again for those that are new. */
  follow(scope: string, job: string): (options: AbortOptions) => AsyncGenerator<MissedStep, void> {
    const { misses, unread } = this.#live.get(job) ?? { misses: [], unread: () => [] };
    const known = LargeMap.byText<Digest, string>();
    const told = new Set<Digest>();
    let earlier: EarlierSteps | undefined;
    let at = 0;
    const { history } = this.#options;
    const step = this.#step.bind(this);
    return async function* next(options) {
      for (; at < misses.length; ) {
        const { vertex, keyed } = misses[at++]!;
        const keys = keyed();
        if (keys === undefined || told.has(vertex.digest)) continue;
        told.add(vertex.digest);
        earlier ??= new EarlierSteps(history.earlierKeys(scope, undefined, options));
        await inSlices(addLineages(vertex, known), options);
        const lineage = known.get(vertex.digest) ?? '';
        const names = new Map(toldInputs(vertex).map((input) => [input.vertex.digest, input.vertex.name]));
        const nameOf = ({ vertex: input }: KeyedInput) => names.get(input) ?? 'an earlier step';
        const recorded = recordedVertex(withinTenant(keys, scope));
        const build = { earlier, lineage, known, nameOf, unread: unread() };
        yield await step(recorded, build, { ...options, owner: HOUSE });
      }
    };
  }

  async #step(
    vertex: RecordedVertex,
    build: {
      readonly earlier: EarlierSteps;
      readonly lineage: string;
      readonly known: ReadonlyMap<Digest, string>;
      readonly nameOf: (input: KeyedInput) => string;
      readonly unread: readonly UnreadCache[];
    },
    options: WorkOptions,
  ): Promise<MissedStep> {
    const { miss } = missedOutput(vertex)!;
    const { lineage, known, nameOf } = build;
    const isSameOp = miss.kind === 'differs';
    const compares = isSameOp || miss.kind === 'new';
    const sought = { vertex, lineage, place: placeOf(vertex, known), isSameOp };
    const earlier = compares ? await build.earlier.nearest(sought, options) : undefined;
    const changes = (before: KeyedInput, now: KeyedInput) => this.#changes(before, now, options);
    const cause = await causeOf(vertex, miss, { ...options, earlier, nameOf, changes });
    return {
      vertex: vertex.digest,
      name: stepName(vertex.name),
      ...withUnread(causeWords(cause), cause, build.unread),
    };
  }

  async #changes(before: KeyedInput, now: KeyedInput, options: WorkOptions) {
    const { selection } = now;
    if (selection === undefined || before.of === undefined || now.of === undefined) return undefined;
    const { refs, hasher } = this.#options;
    const [was, is] = [await refs.get(before.of), await refs.get(now.of)];
    try {
      if (was === undefined || is === undefined) return undefined;
      return await hasher.changes(was, is, { selection, most: MOST_CHANGES }, options);
    } finally {
      await was?.release();
      await is?.release();
    }
  }
}

function* namesOf(vertices: readonly RecordedVertex[]): Generator<void, ReadonlyMap<Digest, string>, void> {
  const names = mapFor<Digest, string>(vertices.length);
  for (const { digest, name } of vertices) {
    names.set(digest, name);
    yield;
  }
  return names;
}

/** Those that a record tells. */
function toldInputs({ inputs }: Vertex): Vertex['inputs'] {
  return inputs.slice(0, MOST_KEYED_INPUTS);
}

/** Those of a vertex and of all below it that are not known yet. */
function* addLineages(top: Vertex, known: LargeMap<Digest, string>): Generator<void, void, void> {
  const open = [top];
  for (let vertex = open.at(-1); vertex !== undefined; vertex = open.at(-1)) {
    yield;
    const inputs = [...new Map(toldInputs(vertex).map((input) => [input.vertex.digest, input.vertex])).values()];
    const missing = inputs.filter(({ digest }) => !known.has(digest));
    open.push(...missing);
    if (missing.length > 0) continue;
    open.pop();
    known.set(
      vertex.digest,
      lineageOf(
        vertex.name,
        inputs.map(({ digest }) => known.get(digest) ?? ''),
      ),
    );
  }
}
