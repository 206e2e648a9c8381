import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodedError } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import { isOver } from '../../resources/index.ts';
import type { KubeClient } from '../runtime/index.ts';
import { RunWorld } from '../testing/run-world.ts';

const { SUCCEEDED, CANCELLED } = wire.slipway.builder.v1.SolveState;

/** How a write of the operator goes: refused for another's, lost on its way or on its way back. */
const writes = ['conflict', 'lost', 'unheard', ...Array.from({ length: 7 }, () => 'well')] as const;
const runs = fc.array(fc.record({ cancelled: fc.boolean(), ends: fc.constantFrom(SUCCEEDED, CANCELLED) }), {
  minLength: 1,
  maxLength: 15,
});
const steps = fc.infiniteStream(fc.constantFrom(...writes));

test('every run comes to its end without being looked at again by chance, whatever becomes of writes', async () => {
  await fc.assert(
    fc.asyncProperty(runs, steps, async (wanted, outcomes) => {
      await using world = new RunWorld({ periodicLooks: false });
      world.pool('default', 'b:1');
      await world.start();
      const client = world.api.client as { apply: KubeClient['apply'] };
      const { apply } = client;
      client.apply = async (...args) => {
        const { value: outcome } = outcomes.next();
        if (outcome === 'conflict') throw new CodedError('aborted', 'the object has been modified');
        if (outcome === 'lost') throw new CodedError('unavailable', 'no connection');
        const written = await apply(...args);
        if (outcome === 'unheard') throw new CodedError('unavailable', 'the connection was cut');
        return written as never;
      };
      for (const [at, { cancelled, ends }] of wanted.entries()) {
        const run = world.run(`r${at}`);
        if (cancelled) world.api.put('buildruns', { ...run, spec: { ...run.spec, cancel: {} } });
        world.builder.end(`r${at}`, { state: ends });
      }
      const left = () => wanted.filter((_, at) => !isOver(world.get(`r${at}`)?.phase)).length;
      await expect.poll(left, { interval: 10 }).toBe(0);
    }),
    { numRuns: 10 },
  );
}, 600_000);
