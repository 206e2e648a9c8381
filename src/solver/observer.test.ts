import { describe, expect, test } from 'vitest';
import { digestOf } from '../base/index.ts';
import { Observers } from './observer.ts';
import type { Result, SolverObserver } from './ports.ts';
import { constant, type IntegerOp, IntegerWorld, solveOnce, sum } from './testing/integer-world.ts';
import { solverObserverSuite } from './testing/observer-suite.ts';

const vertex = constant(1);

solverObserverSuite<unknown, unknown>('several as one', () => {
  const kept: Result[] = [];
  const keeping: SolverObserver = {
    resulted: ({ result, jobs }) => void (jobs.includes('job') && kept.push(result.clone())),
  };
  let isOver = false;
  const once: SolverObserver = { resulted: (event) => void (isOver || keeping.resulted?.(event)) };
  return {
    ...{ observer: new Observers([{}, once]), vertex, job: 'job', value: 1 },
    end: async () => {
      isOver = true;
      for (const result of kept.splice(0)) await result.release();
    },
    [Symbol.asyncDispose]: async () => {},
  };
});

describe('what the solver tells', () => {
  const nothing = { digest: digestOf('map'), inputs: [] };

  test('comes to all observers, whichever of them throws', () => {
    const told: string[] = [];
    const throwing = () => {
      throw new Error('of its own');
    };
    const broken = { keyed: throwing, missed: throwing, resulted: throwing, failed: throwing };
    const sound: SolverObserver = { keyed: () => void told.push('keyed'), failed: () => void told.push('failed') };
    const all = new Observers([broken, sound, broken]);
    all.keyed({ vertex, scope: 'here', map: nothing });
    all.failed({ cache: 'c', error: new Error('no') });
    expect(told).toEqual(['keyed', 'failed']);
  });

  test('comes in order: the key, that it is missing, its result; of a vertex after those that it is made of', async () => {
    const told: string[] = [];
    const world = new IntegerWorld();
    const observer: SolverObserver<IntegerOp, number> = {
      keyed: ({ vertex: { name } }) => void told.push(`key of ${name}`),
      missed: ({ vertex: { name } }) => void told.push(`${name} is missing`),
      resulted: ({ vertex: { name }, found, jobs }) =>
        void told.push(`${name} is ${found ?? 'made'} for ${jobs.length}`),
    };
    const graph = () => sum('b', [sum('a', [constant(1)])]);
    await solveOnce(world.solver([observer]), graph());
    const of = (name: string) => told.filter((line) => line.includes(`${name} is`) || line.endsWith(` ${name}`));
    for (const name of ['constant 1', 'a', 'b'])
      expect(of(name)).toEqual([`key of ${name}`, `${name} is missing`, `${name} is made for 1`]);
    const made = told.filter((line) => line.includes('made'));
    expect(made.map((line) => line.split(' is ')[0])).toEqual(['constant 1', 'a', 'b']);
  });

  test('is nothing more of builds that are over', async () => {
    const told: string[] = [];
    const world = new IntegerWorld();
    const observer: SolverObserver = { resulted: ({ jobs }) => void told.push(...jobs) };
    const solver = world.solver([observer]);
    await solveOnce(solver, constant(1));
    const first = told.length;
    await solveOnce(solver, constant(1));
    expect(told.length - first).toBe(1);
    expect(world.open).toBe(0);
  });
});
