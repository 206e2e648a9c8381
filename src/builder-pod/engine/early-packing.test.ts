import { describe, expect, test } from 'vitest';
import { HOUSE, neverAborted, onAbort, type Places } from '../../base/index.ts';
import type { Compression, ImmutableRef, RefOptions } from '../../cache/ports.ts';
import {
  diff,
  FileActions,
  image,
  type LlbEdge,
  loadDefinition,
  merge,
  type State,
  scratch,
  type VertexOp,
} from '../../llb/index.ts';
import type { Edge, Result } from '../../solver/index.ts';
import { solverObserverSuite } from '../../solver/testing/observer-suite.ts';
import { EarlyPacking } from './early-packing.ts';
import { edgeName, exportedChain } from './exported-chain.ts';
import { SpareThreads } from './spare-threads.ts';

const load = (state: State): LlbEdge => loadDefinition(state.marshal())!.root;
const file = (name: string, on: State = scratch()) =>
  on.file(new FileActions().mkdir(`/${name}`, 0o755).mkfile(`/${name}/f`, 0o644, Buffer.from(name)), { name });

/** Names of the vertices, from the top down. */
function chainOf(state: State): string[] {
  const root = load(state);
  const chain = exportedChain([root]);
  const names: string[] = [];
  const open: Edge<VertexOp>[] = [root];
  for (let edge = open.pop(); edge !== undefined; edge = open.pop()) {
    if (chain.has(edgeName(edge.vertex, edge.index))) names.push(edge.vertex.name);
    open.push(...edge.vertex.inputs);
  }
  return names;
}

describe('what an image is made of, as the graph says it', () => {
  const base = image('example.com/base:latest');
  test('a step stands on its root, not on what it only reads', () => {
    const step = base.run({
      args: ['true'],
      name: 'step',
      mounts: [{ target: '/in', source: file('read'), readonly: true }],
    });
    expect(chainOf(file('last', step.root))).toEqual(['last', 'step', expect.stringContaining('base')]);
  });

  test('files are written on the first of their actions’ bases, and copied from others', () => {
    const from = file('from');
    const copied = base.file(new FileActions().mkdir('/a', 0o755).copy(from, '/from', '/a'), { name: 'copy' });
    expect(chainOf(copied)).toEqual(['copy', expect.stringContaining('base')]);
  });

  test('a merge has the layers of all, a diff is not looked into', () => {
    const link = merge([base, file('link')], { name: 'merge' });
    expect(chainOf(link).toSorted()).toEqual(['link', 'merge', expect.stringContaining('base')].toSorted() as string[]);
    expect(chainOf(diff(base, file('on', base), { name: 'diff' }))).toEqual(['diff']);
  });

  test('a long chain ends', () => {
    let state = scratch();
    for (let n = 0; n < 3000; n++) state = state.file(new FileActions().mkdir(`/${n}`, 0o755));
    expect(exportedChain([load(state)]).size).toBe(1000);
  });
});

/** The threads, as far as early packing sees them. */
class Threads {
  readonly #crowded = new Set<() => void>();
  free = Promise.resolve();
  readonly pool = {
    idle: async ({ signal }: { signal: AbortSignal }) => {
      using aborted = onAbort(signal);
      await Promise.race([this.free, aborted.promise]);
    },
    onCrowded: (crowded: () => void) => {
      this.#crowded.add(crowded);
      return { [Symbol.dispose]: () => void this.#crowded.delete(crowded) };
    },
  } as unknown as Places;
  crowd(): void {
    for (const crowded of [...this.#crowded]) crowded();
  }
}

/** A result that takes until `done` to pack. */
class Packed {
  readonly id: string;
  handles = 1;
  /** Letting go of it fails. */
  isStuck = false;
  readonly begun: (Compression | undefined)[] = [];
  readonly efforts = new Set<boolean | undefined>();
  readonly aborted: unknown[] = [];
  readonly begins = Promise.withResolvers<void>();
  readonly done = Promise.withResolvers<void>();

  constructor(id: string) {
    this.id = id;
  }

  get result(): Result<ImmutableRef> {
    const value = {
      layers: async ({ compression, signal, bestEffort }: RefOptions & { compression?: Compression }) => {
        this.begun.push(compression);
        this.efforts.add(bestEffort);
        this.begins.resolve();
        using aborted = onAbort(signal);
        await Promise.race([this.done.promise, aborted.promise]).catch((error: unknown) => {
          this.aborted.push(error);
          throw error;
        });
        return [];
      },
    } as unknown as ImmutableRef;
    return {
      id: this.id,
      value,
      clone: () => {
        this.handles++;
        return this.result;
      },
      release: async () => {
        this.handles--;
        if (this.isStuck) throw new Error('it cannot be let go of');
      },
    };
  }
}

describe('packing ahead', () => {
  const gzip: Compression = { type: 'gzip' };
  const [lower, upper] = [load(file('lower')), load(file('upper', file('lower')))];

  function start(compressions: readonly Compression[] = [gzip], take = async (_ref: ImmutableRef) => {}) {
    const threads = new Threads();
    const early = new EarlyPacking({ spare: new SpareThreads(threads.pool), quietMs: 0 });
    const ahead = early.expect({
      ...{ job: 'job', edges: [upper], compressions, sessions: () => [], limits: () => ({}) },
      ...{ signal: neverAborted, owner: HOUSE, ahead: [take] },
    });
    const resulted = (edge: Edge<VertexOp>, packed: Packed, job = 'job') =>
      early.observer.resulted?.({
        ...{ vertex: edge.vertex, output: edge.index, scope: '', jobs: [job], found: undefined, keys: [] },
        result: packed.result,
      });
    return { threads, ahead, resulted };
  }

  solverObserverSuite<VertexOp, ImmutableRef>('layers that are packed ahead', () => {
    const early = new EarlyPacking({ spare: new SpareThreads(new Threads().pool), quietMs: 0 });
    const ahead = early.expect({
      ...{ job: 'job', edges: [upper], compressions: [gzip], sessions: () => [], limits: () => ({}) },
      ...{ signal: neverAborted, owner: HOUSE, ahead: [async () => {}] },
    });
    const end = async () => await ahead[Symbol.asyncDispose]();
    const value = { layers: async () => [] } as unknown as ImmutableRef;
    return { observer: early.observer, vertex: upper.vertex, job: 'job', value, end, [Symbol.asyncDispose]: end };
  });

  test('one result after another, in threads that nobody wants, and all is let go of', async () => {
    const { threads, ahead, resulted } = start([gzip, { type: 'zstd' }]);
    const free = Promise.withResolvers<void>();
    threads.free = free.promise;
    const [one, two] = [new Packed('one'), new Packed('two')];
    resulted(lower, one);
    resulted(upper, two);
    await new Promise(setImmediate);
    expect(one.begun).toEqual([]);
    free.resolve();
    await one.begins.promise;
    expect(two.begun).toEqual([]);
    one.done.resolve();
    await two.begins.promise;
    expect([one.begun, one.handles]).toEqual([[gzip, { type: 'zstd' }], 1]);
    two.done.resolve();
    await expect.poll(() => two.handles).toBe(1);
    expect(one.efforts).toEqual(new Set([true]));
    await ahead[Symbol.asyncDispose]();
  });

  test('is given up for others, some times', async () => {
    const { threads, ahead, resulted } = start();
    const one = new Packed('one');
    resulted(lower, one);
    for (const tries of [1, 2, 3]) {
      await expect.poll(() => one.begun.length).toBe(tries);
      threads.crowd();
      await expect.poll(() => one.aborted.length).toBe(tries);
    }
    await expect.poll(() => one.handles).toBe(1);
    expect(one.begun).toHaveLength(3);
    await ahead[Symbol.asyncDispose]();
  });

  test('the export takes over what is under way; nothing begins after it, and the end of the build ends it', async () => {
    const { ahead, resulted } = start();
    const [one, two] = [new Packed('one'), new Packed('two')];
    resulted(lower, one);
    await one.begins.promise;
    resulted(upper, two);
    ahead.stop();
    await new Promise(setImmediate);
    expect([one.aborted, two.begun]).toEqual([[], []]);
    await ahead[Symbol.asyncDispose]();
    expect([one.aborted.length, one.handles, two.handles]).toEqual([1, 1, 1]);
  });

  test('one that cannot be let go of holds up neither the next nor the build', async () => {
    const taken: ImmutableRef[] = [];
    const { threads, ahead, resulted } = start([gzip], async (ref) => void taken.push(ref));
    const [one, given, two, left] = ['one', 'given', 'two', 'left'].map((id) => {
      const packed = new Packed(id);
      packed.isStuck = id !== 'two';
      return packed;
    }) as [Packed, Packed, Packed, Packed];
    resulted(lower, one);
    one.done.resolve();
    await expect.poll(() => taken.length).toBe(1);
    resulted(lower, given);
    for (const tries of [1, 2, 3]) {
      await expect.poll(() => given.begun.length).toBe(tries);
      threads.crowd();
    }
    await expect.poll(() => given.handles).toBe(1);
    resulted(upper, two);
    two.done.resolve();
    await expect.poll(() => [taken.length, two.handles]).toEqual([2, 1]);
    resulted(upper, left);
    await ahead[Symbol.asyncDispose]();
    expect([one, given, left].map(({ handles }) => handles)).toEqual([1, 1, 1]);
  });

  test('nothing for builds without images, in forms that need a pull, and of what is in no image or of another build', async () => {
    for (const compressions of [[], [{ type: 'zstd', force: true } as const]]) {
      const { ahead, resulted } = start(compressions);
      const one = new Packed('one');
      resulted(lower, one);
      expect(one.handles).toBe(1);
      await ahead[Symbol.asyncDispose]();
    }
    const { ahead, resulted } = start();
    const one = new Packed('one');
    resulted(load(file('other')), one);
    resulted(lower, one, 'another');
    expect(one.handles).toBe(1);
    await ahead[Symbol.asyncDispose]();
  });
});
