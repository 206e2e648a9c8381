import fc from 'fast-check';
import { expect, test } from 'vitest';
import { neverAborted } from '../base/index.ts';
import { runs } from '../base/testing/runs.ts';
import type { VertexEvent, VertexState } from './ports.ts';
import { constant, type IntegerVertex, IntegerWorld, newJob, solveOnce, vertex } from './testing/integer-world.ts';

/** A random graph: node i takes inputs from nodes before it; `content` marks inputs whose content decides. */
interface Plan {
  readonly nodes: readonly { readonly inputs: readonly number[]; readonly content: boolean; readonly twin: boolean }[];
  readonly targets: readonly number[];
}

const plan: fc.Arbitrary<Plan> = fc.record({
  nodes: fc.array(
    fc.record({
      inputs: fc.array(fc.nat(30), { minLength: 1, maxLength: 3 }),
      content: fc.boolean(),
      twin: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  ),
  targets: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
});

interface Graph {
  readonly all: readonly IntegerVertex[];
  readonly targets: readonly IntegerVertex[];
  value(of: IntegerVertex): number;
  needs(of: IntegerVertex): ReadonlySet<string>;
}

/** `salt` renames the sources, as a new session or commit does; their values stay. */
function build({ nodes, targets }: Plan, salt = '', failing: ReadonlySet<number> = new Set()): Graph {
  const all: IntegerVertex[] = [constant(1, `source 0${salt}`), constant(2, `source 1${salt}`)];
  nodes.forEach(({ inputs, content, twin }, n) => {
    const edges = inputs.map((input) => all[input % all.length]!);
    const op = {
      cacheName: `node ${n}`,
      ...(content ? { contentOf: [0] } : {}),
      compute: (values: readonly number[]) => {
        if (failing.has(n)) throw new Error(`node ${n} fails`);
        return values.reduce((a, b) => a + b, n);
      },
    };
    // A twin is another vertex that comes to the same key.
    all.push(vertex(op, edges, { label: `node ${n}${twin ? ' twin' : ''}` }));
    if (twin) all.push(vertex(op, edges, { label: `node ${n} other twin` }));
  });
  const memo = new Map<IntegerVertex, number>();
  const below = new Map<IntegerVertex, Set<string>>();
  for (const each of all) {
    const inputs = each.inputs.map((input) => input.vertex);
    const n = Number(each.op.cacheName.split(' ')[1]);
    memo.set(each, inputs.length === 0 ? n + 1 : inputs.reduce((sum, input) => sum + memo.get(input)!, n));
    below.set(each, new Set([each.op.cacheName, ...inputs.flatMap((input) => [...below.get(input)!])]));
  }
  return {
    all,
    targets: targets.map((target) => all[target % all.length]!),
    value: (of) => memo.get(of)!,
    needs: (of) => below.get(of)!,
  };
}

function counts(ran: readonly string[]): number[] {
  return [...Map.groupBy(ran, (name) => name).values()].map((runs) => runs.length);
}

test('in every order each op runs once for all builds, only what they need runs, and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), plan, async (s, shape) => {
      const world = new IntegerWorld();
      world.gate = (what) => s.schedule(Promise.resolve(), what);
      const graph = build(shape);
      const solver = world.solver();
      const values = await s.waitFor(Promise.all(graph.targets.map((target) => solveOnce(solver, target))));
      expect(values).toEqual(graph.targets.map((target) => graph.value(target)));
      expect(Math.max(...counts(world.ran))).toBe(1);
      const needed = new Set(graph.targets.flatMap((target) => [...graph.needs(target)]));
      expect(world.ran.filter((name) => !needed.has(name))).toEqual([]);
      // A second time all comes from the cache.
      world.ran.length = 0;
      await s.waitFor(Promise.all(graph.targets.map((target) => solveOnce(solver, target))));
      expect(world.ran).toEqual([]);
      expect([world.open, world.running, solver.activeVertices]).toEqual([0, 0, 0]);
    }),
    runs(200),
  );
});

/** The states of each vertex among events. */
function statesOf(batches: readonly (readonly VertexEvent[])[]): Iterable<readonly VertexState[]> {
  const states = batches.flat().flatMap((event) => (event.kind === 'vertex' ? [event.vertex] : []));
  return Map.groupBy(states, ({ digest }) => digest).values();
}

/** Ends each interval before the next begins, and the last one. */
function expectWhole(states: readonly VertexState[]): void {
  let open: number | undefined;
  for (const { started, completed } of states) {
    if (open !== undefined) expect(started, JSON.stringify(states)).toBe(open);
    open = completed === undefined ? started : undefined;
  }
  expect(open, JSON.stringify(states)).toBeUndefined();
}

test('in every order a build is told of one interval of a step at a time and of its end, whoever fails or leaves', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      plan,
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      fc.nat(30),
      async (s, shape, cancelled, bad) => {
        const world = new IntegerWorld();
        world.gate = (what) => s.schedule(Promise.resolve(), what);
        const solver = world.solver();
        await using retained = new AsyncDisposableStack();
        const jobs = build(shape, '', new Set([bad])).targets.map(async (target, i) => {
          const controller = new AbortController();
          if (cancelled[i])
            void s.schedule(Promise.resolve(), `cancel ${i}`).then(() => controller.abort(new Error('gone')));
          const job = newJob(solver);
          retained.use(job.progress.retain());
          const told = Array.fromAsync(job.watch({ signal: neverAborted }));
          const built = await job.build({ vertex: target, index: 0 }, controller).catch(() => undefined);
          await built?.result.release();
          await job.close();
          for (const states of statesOf(await told)) expectWhole(states);
          return job;
        });
        // Whoever comes when all is over is told no less, and nothing of what others did later.
        for (const job of await s.waitFor(Promise.all(jobs)))
          for (const states of statesOf(await Array.fromAsync(job.watch({ signal: neverAborted }))))
            expectWhole(states);
      },
    ),
    runs(300),
  );
});

test('renamed sources of equal content rerun nothing beyond what content does not decide', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), plan, async (s, shape) => {
      const world = new IntegerWorld();
      world.gate = (what) => s.schedule(Promise.resolve(), what);
      const before = build(shape);
      const after = build(shape, ' renamed');
      const solver = world.solver();
      await s.waitFor(Promise.all(before.targets.map((target) => solveOnce(solver, target))));
      world.ran.length = 0;
      const values = await s.waitFor(Promise.all(after.targets.map((target) => solveOnce(solver, target))));
      expect(values).toEqual(before.targets.map((target) => before.value(target)));
      if (world.ran.length > 0) expect(Math.max(...counts(world.ran))).toBe(1);
      // What has one input, decided by content, is never run again.
      const byContent = new Set(
        after.all
          .filter(({ op, inputs }) => op.contentOf !== undefined && inputs.length === 1)
          .map(({ op }) => op.cacheName),
      );
      expect(world.ran.filter((name) => byContent.has(name))).toEqual([]);
      expect(world.open).toBe(0);
    }),
    runs(200),
  );
});

test('cancelling any builds at any time leaves the others whole', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      plan,
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      async (s, shape, cancelled) => {
        const world = new IntegerWorld();
        world.gate = (what) => s.schedule(Promise.resolve(), what);
        const graph = build(shape);
        const solver = world.solver();
        const outcomes = graph.targets.map(async (target, i) => {
          const controller = new AbortController();
          if (cancelled[i])
            void s.schedule(Promise.resolve(), `cancel ${i}`).then(() => controller.abort(new Error('gone')));
          const value = await solveOnce(solver, target, { signal: controller.signal });
          return value === graph.value(target);
        });
        const settled = await s.waitFor(Promise.allSettled(outcomes));
        settled.forEach((outcome, i) => {
          if (!cancelled[i]) expect(outcome).toEqual({ status: 'fulfilled', value: true });
          else if (outcome.status === 'rejected') expect(String(outcome.reason)).toContain('gone');
        });
        // What was cancelled can be wanted again.
        const values = await s.waitFor(Promise.all(graph.targets.map((target) => solveOnce(solver, target))));
        expect(values).toEqual(graph.targets.map((target) => graph.value(target)));
        expect([world.open, world.running, solver.activeVertices]).toEqual([0, 0, 0]);
      },
    ),
    runs(300),
  );
});

test('failures fail exactly the builds that need them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), plan, fc.nat(11), async (s, shape, bad) => {
      const world = new IntegerWorld();
      world.gate = (what) => s.schedule(Promise.resolve(), what);
      const graph = build(shape, '', new Set([bad]));
      const solver = world.solver();
      const settled = await s.waitFor(Promise.allSettled(graph.targets.map((target) => solveOnce(solver, target))));
      settled.forEach((outcome, i) => {
        const needs = graph.needs(graph.targets[i]!).has(`node ${bad}`);
        expect(outcome.status).toBe(needs ? 'rejected' : 'fulfilled');
      });
      const healed = build(shape);
      const values = await s.waitFor(Promise.all(healed.targets.map((target) => solveOnce(solver, target))));
      expect(values).toEqual(healed.targets.map((target) => healed.value(target)));
      expect([world.open, world.running, solver.activeVertices]).toEqual([0, 0, 0]);
    }),
    runs(200),
  );
});

test('whatever stored results are unusable, builds come to the right end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      plan,
      fc.array(fc.nat(2), { minLength: 30, maxLength: 30 }),
      async (s, shape, fates) => {
        const world = new IntegerWorld();
        world.gate = (what) => s.schedule(Promise.resolve(), what);
        const graph = build(shape);
        const solver = world.solver();
        await s.waitFor(Promise.all(graph.targets.map((target) => solveOnce(solver, target))));
        [...world.stored.keys()].forEach((id, i) => {
          if (fates[i] === 1) world.stored.delete(id);
          if (fates[i] === 2) world.lose(id);
        });
        const renamed = build(shape, ' renamed'); // sources anew, so that inner hits have consumers that run
        const values = await s.waitFor(Promise.all(renamed.targets.map((target) => solveOnce(solver, target))));
        expect(values).toEqual(graph.targets.map((target) => graph.value(target)));
        expect([world.open, world.running, solver.activeVertices]).toEqual([0, 0, 0]);
      },
    ),
    runs(200),
  );
});
