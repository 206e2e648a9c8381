import { expect, test } from 'vitest';
import { Afterwork, neverAborted, silentLogger } from '../../base/index.ts';
import { slowMachine, turnsDuring } from '../../base/testing/turns.ts';
import { Control, type EncodedMessage, wire } from '../../builder-api/index.ts';
import { type ControlOptions, registerControl } from './control.ts';

test('what clients ask for here is asked for by the builder’s own', async () => {
  const asked: unknown[] = [];
  const engine = {
    solve: async (request: object) => {
      asked.push(request);
      return { exporterResponse: {} };
    },
  };
  let solve: ((request: object, context: object) => Promise<unknown>) | undefined;
  const register = (service: unknown, handlers: { solve: typeof solve }) => {
    if (service === Control) solve = handlers.solve;
  };
  registerControl(
    { register } as never,
    { stateRoot: '/state', engine, gc: { trigger: () => {} }, log: silentLogger } as unknown as ControlOptions,
  );
  await solve?.({ ref: 'build' }, { signal: neverAborted, peer: {} });
  expect(asked).toMatchObject([{ ref: 'build', direct: true }]);
});

test('disk usage leaves out what an ended build is still letting go of', async () => {
  const order: string[] = [];
  const afterwork = new Afterwork();
  const released = Promise.withResolvers<void>();
  afterwork.run(async () => {
    await released.promise;
    order.push('let go');
  });
  const told = usageOf(afterwork, () => {
    order.push('looked');
    return [];
  });
  released.resolve();
  expect((await told).record).toEqual([]);
  expect(order).toEqual(['let go', 'looked']);
});

test('usage of many records is told record by record: others have their turns in between', async () => {
  const ids = Array.from({ length: 150 }, (_, n) => `ref ${String(n).padStart(3, '0')}`);
  using _ = await slowMachine();
  const rows = ids.map((id) => ({
    id,
    kind: 'layer',
    size: 7,
    scope: '',
    leased: 0,
    created_at: 1,
    last_used_at: 1,
    description: `of ${id}`,
  }));
  let record: Awaited<ReturnType<typeof usageOf>>['record'] = [];
  const turns = await turnsDuring(async () => {
    ({ record } = await usageOf(new Afterwork(), () => rows.splice(0)));
  });
  expect(record.map(({ id, description }) => [id, description])).toEqual(ids.map((id) => [id, `of ${id}`]));
  // Read, and then encoded.
  expect(turns).toBeGreaterThan(2 * ids.length);
});

/** What Control says of the disk where the database has these rows. */
async function usageOf(afterwork: Afterwork, all: () => readonly object[]) {
  const db = { all };
  const records = { options: { db }, inUse: () => false, parents: () => [] };
  const options = {
    ...{ stateRoot: '/state', worker: {}, gc: {}, history: { entries: 1, maxAgeMs: 1 }, log: silentLogger },
    engine: { services: { afterwork } },
    refs: { records },
  } as unknown as ControlOptions;
  let diskUsage: ((request: object, context: object) => Promise<unknown>) | undefined;
  const register = (service: unknown, handlers: { diskUsage: typeof diskUsage }) => {
    if (service === Control) diskUsage = handlers.diskUsage;
  };
  registerControl({ register } as never, options);
  const { parts } = (await diskUsage?.({}, { signal: neverAborted })) as EncodedMessage;
  const bytes = Buffer.concat(parts);
  return wire.moby.buildkit.v1.DiskUsageResponse.decode(bytes);
}
