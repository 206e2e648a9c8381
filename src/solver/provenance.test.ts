import fc from 'fast-check';
import { expect, test } from 'vitest';
import { neverAborted } from '../base/index.ts';
import { runs } from '../base/testing/runs.ts';
import type { Job } from './job.ts';
import { type ImportedCache, type LossKind, LostResultError, type Result } from './ports.ts';
import type { Solver } from './solver.ts';
import {
  constant,
  type IntegerOp,
  type IntegerVertex,
  IntegerWorld,
  type JobSettings,
  newJob,
  vertex,
} from './testing/integer-world.ts';
import { Provenance } from './testing/provenance.ts';

/** Steps that need not give the same twice, on few values, so that different steps often come to equal contents. */
const VALUES = 4;

interface Shape {
  readonly ops: readonly {
    readonly inputs: number;
    readonly content: readonly boolean[];
    readonly divisor: number;
    readonly random: boolean;
    readonly fails: boolean;
    readonly outputs: number;
    readonly selectors: readonly string[];
  }[];
  readonly nodes: readonly { readonly op: number; readonly inputs: readonly number[]; readonly ignoreCache: boolean }[];
}

const often = (yes: number, no: number) =>
  fc.oneof({ weight: yes, arbitrary: fc.constant(true) }, { weight: no, arbitrary: fc.constant(false) });

const shapes: fc.Arbitrary<Shape> = fc.record({
  ops: fc.array(
    fc.record({
      inputs: fc.integer({ min: 1, max: 2 }),
      content: fc.array(often(2, 1), { minLength: 2, maxLength: 2 }),
      divisor: fc.integer({ min: 1, max: 2 }),
      random: often(1, 2),
      fails: often(1, 5),
      outputs: fc.integer({ min: 1, max: 2 }),
      selectors: fc.array(fc.constantFrom('', '', 'a', 'b'), { minLength: 2, maxLength: 2 }),
    }),
    { minLength: 2, maxLength: 4 },
  ),
  nodes: fc.array(
    fc.record({
      op: fc.nat(10),
      inputs: fc.array(fc.nat(30), { minLength: 2, maxLength: 2 }),
      ignoreCache: often(1, 9),
    }),
    { minLength: 2, maxLength: 8 },
  ),
});

/** A build under way. */
interface Build {
  readonly target: { readonly vertex: IntegerVertex; readonly index: number };
  readonly settings: JobSettings;
  readonly began: number;
  readonly controller: AbortController;
  ended: boolean;
}

class Trial {
  readonly world = Object.assign(new IntegerWorld(), { atOnce: true });
  /** Another builder, whose cache is imported. */
  readonly #elsewhere = new IntegerWorld('elsewhere-', this.world.made);
  #round = 0;
  readonly provenance = new Provenance(this.world.made);
  readonly faults: string[] = [];
  readonly #dice: (sides: number) => number;
  readonly #held: { readonly what: string; go(): void }[] = [];
  readonly #builds = new Set<Build>();
  readonly #staying = new Set<Job<IntegerOp, number>>();
  /** Ids of records that some key leads to. */
  readonly #entered = new Set<string>();
  readonly #failures = new Map<string, { readonly op: string; readonly at: number }>();
  #solver: Solver<IntegerOp, number> = this.world.solver();
  #time = 0;
  #failing = true;
  /** How many results may yet be lost while builds are under way: so few that none may fail for it. */
  #losses = 2;

  constructor(dice: (sides: number) => number) {
    this.#dice = dice;
    const { world } = this;
    world.gate = (what) => new Promise((resolve) => this.#held.push({ what, go: resolve }));
    world.began = ({ inputs }, results, { scope }) => {
      inputs.forEach((input, i) => {
        if (!this.provenance.isOf(results[i]!.id, input)) this.faults.push(`${results[i]!.id} is no input of a step`);
        this.#mayRead(results[i]!, scope);
      });
    };
    const addResult = world.keys.addResult.bind(world.keys);
    world.keys.addResult = (key, result, createdAt, scope) => {
      this.#entered.add(result);
      addResult(key, result, createdAt, scope);
    };
  }

  graph({ ops, nodes }: Shape): IntegerVertex[] {
    const all: IntegerVertex[] = [constant(1, 'one'), this.#source('m1', 'chain'), this.#source('m2', 'chain')];
    for (const { op: n, inputs, ignoreCache } of nodes) {
      const at = n % ops.length;
      const plan = ops[at]!;
      const op: IntegerOp = {
        cacheName: `op ${at}`,
        compute: (values) => this.#compute(`op ${at}`, values, plan),
        contentOf: [0, 1].filter((i) => plan.content[i]),
        contentDivisor: plan.divisor,
        selectors: Object.fromEntries(
          plan.selectors.flatMap((selector, i) => (selector === '' ? [] : [[i, selector]])),
        ),
        outputs: plan.outputs,
      };
      const edges = inputs.slice(0, plan.inputs).map((input) => this.edge(all.at(-1 - (input % 4)) ?? all[0]!));
      all.push(vertex(op, edges, { ignoreCache }));
    }
    return all;
  }

  edge(of: IntegerVertex): { readonly vertex: IntegerVertex; readonly index: number } {
    return { vertex: of, index: this.#dice(of.op.outputs ?? 1) };
  }

  /** A source that gives something else each time; another of the same chain is the same. */
  #source(name: string, chain: string): IntegerVertex {
    return vertex({
      cacheName: name,
      moreMaps: [chain],
      compute: () => this.#compute(name, [], { random: true, fails: false }),
    });
  }

  #compute(name: string, values: readonly number[], { random, fails }: { random: boolean; fails: boolean }): number {
    if (fails && this.#failing && this.#dice(4) === 0) {
      const message = `failure ${this.#failures.size}`;
      this.#failures.set(message, { op: name, at: this.#time });
      throw new Error(message);
    }
    const value = values.reduce((sum, each, i) => sum + each * (i + 1), name.length);
    return (value + (random ? this.#dice(VALUES) : 0)) % VALUES;
  }

  /** Runs builds in any order with what can come between, until all have been answered. */
  async run(targets: readonly IntegerVertex[], builds: number): Promise<void> {
    await this.#buildElsewhere(targets);
    let left = builds;
    let idle = 0;
    while (left > 0 || this.#builds.size > 0) {
      await new Promise(setImmediate);
      this.#time++;
      const what = this.#dice(20);
      if (left > 0 && (this.#held.length === 0 || what < 3)) {
        left--;
        this.#begin(this.edge(targets[this.#dice(targets.length)]!));
      } else if (what === 3 && this.#builds.size > 0)
        [...this.#builds][this.#dice(this.#builds.size)]!.controller.abort(new Error('left'));
      else if (what < 7) this.#prune();
      else if (what === 7 && this.#losses-- > 0) this.#lose();
      else if (this.#held.length > 0) this.#held.splice(this.#dice(this.#held.length), 1)[0]!.go();
      else if (++idle > 50) throw new Error('a build is never answered');
      else continue;
      idle = 0;
    }
    if (this.#dice(3) > 0) return;
    await this.#close();
    for (let n = this.#dice(4); n > 0; n--) this.#prune();
    for (let n = this.#dice(3); n > 0; n--) this.#lose();
    if (this.#dice(2) === 0) this.#solver = this.world.solver();
    this.#losses = 2;
  }

  /** Steps of certain content, for what may have been linked wrongly: nothing is lost any more, and nothing fails. */
  async probe(targets: readonly IntegerVertex[]): Promise<void> {
    await this.#close();
    this.world.gate = async () => {};
    this.#failing = false;
    const sources = Array.from({ length: VALUES }, (_, value) => constant(value, `certain ${value}`));
    const chains = targets.flatMap((target) => {
      const { op, inputs } = target;
      if (inputs.length !== 1) return [];
      return sources.map((source) => vertex({ ...op }, [source]));
    });
    const above = targets.flatMap((target) =>
      target.inputs.length === 1 ? chains.map((below) => vertex({ ...target.op }, [below])) : [],
    );
    for (const target of [...chains, ...above, ...targets]) {
      for (let index = 0; index < (target.op.outputs ?? 1); index++) {
        this.#begin({ vertex: target, index });
        while (this.#builds.size > 0) await new Promise(setImmediate);
      }
    }
    await this.#close();
  }

  /** What is left of it all. */
  left(): readonly string[] {
    const { world } = this;
    return [
      ...(world.open > 0 ? [`${world.open} handles are open`] : []),
      ...(world.running > 0 ? [`${world.running} steps run`] : []),
      ...(this.#solver.activeVertices > 0 ? [`${this.#solver.activeVertices} vertices are active`] : []),
      ...[...world.stored.keys()].filter((id) => !this.#entered.has(id)).map((id) => `no key leads to ${id}`),
    ];
  }

  /** What others import is what was there when the round began. */
  async #buildElsewhere(targets: readonly IntegerVertex[]): Promise<void> {
    this.#round++;
    const elsewhere = this.#elsewhere;
    for (let n = this.#dice(4); n > 0; n--) {
      await using job = newJob(elsewhere.solver());
      const target = this.edge(targets[this.#dice(targets.length)]!);
      await job.build(target, { signal: neverAborted }).then(
        ({ result }) => result.release(),
        () => {},
      );
    }
    const ids = [...elsewhere.stored.keys()];
    for (let n = this.#dice(3); n > 0 && ids.length > 0; n--) elsewhere.prune(ids[this.#dice(ids.length)]!);
  }

  #caches(): readonly ImportedCache<number>[] {
    const honest = this.world.importOf(this.#elsewhere, `elsewhere ${this.#round}`);
    return [[], [], [honest], [this.#liar(honest), honest]][this.#dice(4)]!;
  }

  /** It leads anywhere, and promises what it does not have. */
  #liar({ keys }: ImportedCache<number>): ImportedCache<number> {
    const lie = <T>(truth: () => readonly T[], other: readonly T[]): readonly T[] => {
      const what = this.#dice(4);
      if (what === 0) throw new Error('no answer');
      return what === 1 ? truth() : what === 2 ? other : [...other, ...truth()];
    };
    const own = [...this.world.stored.keys()];
    return {
      id: `liar ${this.#round}`,
      keys: {
        links: (id, link, scopes) => lie(() => keys.links(id, link, scopes), [id, `lie ${this.#dice(3)}`]),
        backlinks: () => [],
        results: (id, scopes) =>
          lie(
            () => keys.results(id, scopes),
            [{ resultId: own[this.#dice(9)] ?? `lie ${this.#dice(9)}`, createdAt: 1 }],
          ),
      },
      results: {
        exists: () => this.#dice(4) > 0,
        load: async (record) => {
          await this.world.gate(`import ${record}`);
          const what = this.#dice(4);
          if (what === 0) return undefined;
          if (what === 1) throw new Error('connection reset');
          throw new LostResultError(record, 'lost', { kind: what === 2 ? 'gone' : 'refused' });
        },
      },
    };
  }

  #begin(target: Build['target']): void {
    const scope = this.#dice(3) === 0 ? 'reader' : 'main';
    const settings: JobSettings = {
      scope,
      read: scope === 'reader' ? ['main'] : [],
      sessions: this.#dice(2) === 0 ? [] : ['credentials'],
      caches: this.#caches(),
    };
    const build = { target, settings, began: this.#time, controller: new AbortController(), ended: false };
    this.#builds.add(build);
    void this.#build(build).finally(() => this.#builds.delete(build));
  }

  async #build({ target, settings, began, controller: { signal } }: Build): Promise<void> {
    const job = newJob(this.#solver, settings);
    try {
      await job.use(
        [target],
        async ([built]) => {
          const { result } = built!;
          if (!this.provenance.isOf(result.id, target))
            this.faults.push(`${result.id} is no result of ${target.vertex.name}`);
          this.#mayRead(result, settings.scope!);
          this.world.use(result, settings.sessions);
        },
        { signal },
      );
    } catch (error) {
      const { message } = error as Error;
      const failure = this.#failures.get(message);
      const own = failure === undefined ? signal.aborted : failure.at >= began && needs(target.vertex).has(failure.op);
      if (!own)
        this.faults.push(`a build of ${target.vertex.name} failed for nothing of its own: ${(error as Error).stack}`);
    }
    if (this.#dice(4) === 0) this.#staying.add(job);
    else await job.close();
  }

  #mayRead({ id }: Result, scope: string): void {
    const from = this.world.made.get(id)!.scope;
    if (from !== scope && scope !== 'reader') this.faults.push(`${id} of ${from} was read by ${scope}`);
  }

  #prune(): void {
    const ids = [...this.world.stored.keys()];
    if (ids.length > 0) this.world.prune(ids[this.#dice(ids.length)]!);
  }

  #lose(): void {
    const ids = [...this.world.made.keys()];
    const kind = (['gone', 'gone', 'refused', 'unavailable'] satisfies LossKind[])[this.#dice(4)]!;
    if (ids.length > 0)
      this.world.lose(ids[this.#dice(ids.length)]!, kind, kind === 'gone' ? undefined : 'credentials');
  }

  /** Ends the builds that have stayed, and the work that is still under way. */
  async #close(): Promise<void> {
    let closing = true;
    void Promise.all([...this.#staying].map((job) => job.close())).then(() => {
      closing = false;
    });
    this.#staying.clear();
    while (closing || this.#held.length > 0) {
      this.#held.shift()?.go();
      await new Promise(setImmediate);
    }
  }
}

function needs(target: IntegerVertex): ReadonlySet<string> {
  const names = new Set<string>();
  const open = [target];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    names.add(at.op.cacheName);
    open.push(...at.inputs.map((input) => input.vertex));
  }
  return names;
}

test('a result is one that its own steps made, whoever asks is answered, and none fails for what another did', async () => {
  await fc.assert(
    fc.asyncProperty(
      shapes,
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.nat(1 << 20)),
      async (shape, rounds, numbers) => {
        const trial = new Trial((sides) => (numbers.next().value as number) % sides);
        const targets = trial.graph(shape);
        for (const builds of rounds) await trial.run(targets, builds);
        await trial.probe(targets);
        expect([...trial.faults, ...trial.left()]).toEqual([]);
      },
    ),
    { ...runs(100), endOnFailure: true },
  );
});
