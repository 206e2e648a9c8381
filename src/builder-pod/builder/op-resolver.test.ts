import { expect, test } from 'vitest';
import { loadDefinition } from '../../llb/index.ts';
import { execCacheMap } from '../ops/cache-map/index.ts';
import { EXEC_SCENARIOS } from '../ops/cache-map/testing/scenarios.ts';
import { opResolver } from './op-resolver.ts';

test('keys of runs that were met before are those of the op and its platform', () => {
  const resolver = opResolver({ stateRoot: '/state', hasher: {} } as Parameters<typeof opResolver>[0]);
  const digests = new Set<string>();
  let runs = 0;
  for (const architecture of ['amd64', 'arm64', 'amd64', 'arm64']) {
    const platform = { os: 'linux', architecture };
    for (const scenario of Object.values(EXEC_SCENARIOS)) {
      for (const vertex of loadDefinition(scenario.marshal({ platform }), { platform })?.vertices ?? []) {
        const { body } = vertex.op.op;
        if (body.kind !== 'exec') continue;
        const { digest, parts } = resolver.resolve(vertex).definitionMap!();
        const fresh = execCacheMap(body.exec, vertex.op.platform!, vertex.inputs.length);
        expect([digest, parts?.()]).toEqual([fresh.digest, fresh.parts()]);
        digests.add(digest);
        runs++;
      }
    }
  }
  expect(digests.size).toBeGreaterThan(5);
  expect(runs).toBeGreaterThan(digests.size);
});
