import { expect, test } from 'vitest';
import { constant, IntegerWorld, solveOnce, sum } from './testing/integer-world.ts';

// Not a unit test only because of its size: half a minute on a busy machine.
test('100,000 vertices end', async () => {
  const world = new IntegerWorld();
  let layer = Array.from({ length: 1000 }, (_, i) => constant(i));
  for (let depth = 0; depth < 99; depth++) {
    layer = layer.map((below, i) => sum(`${depth} ${i}`, [below, layer[(i + 1) % 1000]!], { compute: ([n]) => n! }));
  }
  expect(await solveOnce(world.solver(), sum('all', layer))).toBe(499_500);
  expect(world.ran).toHaveLength(100_001);
  expect(world.open).toBe(0);
});
