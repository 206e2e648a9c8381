import { expect, test } from 'vitest';
import { CodedError, silentLogger } from '../../base/index.ts';
import { Engine } from './engine.ts';
import type { SolveRequest } from './solve.ts';

test('a build that cannot begin holds nothing: its name is free again', async () => {
  const places = { idle: async () => {}, onCrowded: () => ({ [Symbol.dispose]() {} }) };
  const options = { pools: { bulk: { places } }, allowedEntitlements: new Set(), containers: {}, log: silentLogger };
  await using engine = new Engine(options as never);
  const scope = { write: 'scope', read: ['scope'] };
  const request = {
    ...{ ref: 'build', session: '', frontendAttrs: new Map(), frontendInputs: new Map(), scope },
    ...{ exporters: [], entitlements: [] },
  } as unknown as SolveRequest;
  const broken = Object.defineProperty({ ...request }, 'observer', {
    get() {
      throw new Error('no memory');
    },
  });
  const { signal } = new AbortController();
  await expect(engine.solve(broken, { signal })).rejects.toThrow('no memory');
  expect(engine.find('scope', 'build')).toBeUndefined();
  await expect(
    engine.solve(request, { signal: AbortSignal.abort(new CodedError('cancelled', 'enough')) }),
  ).rejects.toThrow('enough');
});
