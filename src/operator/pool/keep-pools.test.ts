import { expect, test } from 'vitest';
import { CodedError, neverAborted, silentLogger } from '../../base/index.ts';
import { parseBuilderPools } from '../../resources/index.ts';
import type { KubeClient, KubeObject } from '../runtime/index.ts';
import { keepPools } from './keep-pools.ts';

const text = `apiVersion: slipway.build/v1alpha1
kind: BuilderPool
metadata: { name: default, labels: { a: b }, annotations: { kept: elsewhere } }
spec: { endpoints: [{ address: 'a:1' }] }
---
apiVersion: slipway.build/v1alpha1
kind: BuilderPool
metadata: { name: other }
spec: { endpoints: [{ address: 'b:1' }] }
`;

test('every pool is applied; one that is refused holds up no other, and is tried again', async () => {
  const applied: KubeObject[] = [];
  let refusals = 1;
  const client = {
    apply: async (_type: unknown, object: KubeObject) => {
      if (object.metadata.name === 'default' && refusals-- > 0) throw new CodedError('unavailable', 'not now');
      applied.push(object);
      return object;
    },
  } as unknown as KubeClient;
  await keepPools(client, parseBuilderPools(text, 'pools.yaml'), { signal: neverAborted, log: silentLogger });
  expect(applied).toMatchObject([
    { metadata: { name: 'other' } },
    { metadata: { name: 'default', labels: { a: 'b' } }, spec: { endpoints: [{ address: 'a:1' }] } },
  ]);
});

test('what is no pool is told with the file and the field', () => {
  const read = (yaml: string) => () => parseBuilderPools(yaml, 'pools.yaml');
  expect(read(text.replace('endpoints', 'endpoint'))).toThrow(/pools\.yaml is not a valid BuilderPool:[\s\S]*endpoint/);
  expect(read('a: [')).toThrow(/pools\.yaml:\d: not valid YAML/);
  expect(parseBuilderPools('---\n', 'pools.yaml')).toEqual([]);
});
