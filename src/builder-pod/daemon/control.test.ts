import { expect, test } from 'vitest';
import { Afterwork, neverAborted, silentLogger } from '../../base/index.ts';
import { Control } from '../../builder-api/index.ts';
import { type ControlOptions, registerControl } from './control.ts';

test('disk usage leaves out what an ended build is still letting go of', async () => {
  const order: string[] = [];
  const afterwork = new Afterwork();
  const released = Promise.withResolvers<void>();
  afterwork.run(async () => {
    await released.promise;
    order.push('let go');
  });
  const db = {
    all: () => {
      order.push('looked');
      return [];
    },
  };
  const options = {
    ...{ stateRoot: '/state', worker: {}, gc: {}, history: { entries: 1, maxAgeMs: 1 }, log: silentLogger },
    engine: { services: { afterwork } },
    refs: { records: { options: { db } } },
  } as unknown as ControlOptions;
  let diskUsage: ((request: object, context: object) => Promise<unknown>) | undefined;
  const register = (service: unknown, handlers: { diskUsage: typeof diskUsage }) => {
    if (service === Control) diskUsage = handlers.diskUsage;
  };
  registerControl({ register } as never, options);
  const told = diskUsage?.({}, { signal: neverAborted });
  released.resolve();
  expect(await told).toEqual({ record: [] });
  expect(order).toEqual(['let go', 'looked']);
});
