import { expect, test } from 'vitest';
import { digestOf } from '../base/index.ts';
import { local, type SourceInfo, sourceDetails } from './index.ts';

const at = (line: number) => [{ start: { line, character: 0 }, end: { line, character: 0 } }];

test('the last place comes first; each with its file and the graph that brought it, as Go reads them', () => {
  const definition = local('dockerfile', { name: '[internal] load build definition from Dockerfile' }).marshal();
  const info: SourceInfo = {
    ...{ filename: 'Dockerfile', data: Buffer.from('FROM x\n'), language: 'Dockerfile', definition },
  };
  const digest = digestOf(definition.ops[0]!);
  const [first, second] = sourceDetails([
    { info, ranges: at(3) },
    { info: { filename: 'x', data: new Uint8Array(), language: '' }, ranges: at(5) },
  ]);
  expect(first).toEqual({ type: 'errdefs.Source', value: { info: { filename: 'x', data: '' }, ranges: at(5) } });
  expect(second).toMatchObject({
    value: {
      info: {
        ...{ filename: 'Dockerfile', data: 'RlJPTSB4Cg==', language: 'Dockerfile' },
        definition: {
          def: definition.ops.map((op) => Buffer.from(op).toString('base64')),
          metadata: {
            [digest]: { description: { 'llb.customname': '[internal] load build definition from Dockerfile' } },
          },
        },
      },
      ranges: at(3),
    },
  });
});
