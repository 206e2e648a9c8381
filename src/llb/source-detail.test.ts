import { expect, test } from 'vitest';
import { digestOf } from '../base/index.ts';
import { local, type SourceInfo, sourceDetails, toldPlaces } from './index.ts';

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

test('places are read as they were told, and what has another form is left out', () => {
  const info: SourceInfo = { filename: 'Dockerfile', data: Buffer.from('FROM x\nRUN y'), language: 'Dockerfile' };
  const ranges = [...at(2), { start: { line: 3, character: 0 }, end: { line: 5, character: 0 } }];
  const place = { filename: 'Dockerfile', lines: ['FROM x', 'RUN y'], startLine: 2, endLine: 5 };
  const told = (value: unknown) => ({ type: 'errdefs.Source', value });
  const odd = [
    ...[
      undefined,
      null,
      7,
      {},
      { ranges: {} },
      { ranges: [] },
      { ranges: [{}] },
      { ranges: [{ start: { line: -1 } }] },
    ],
    ...[
      { ranges: at(1), info: { data: 7 } },
      { ranges: at(1), info: { data: '*' } },
    ],
  ];
  const details = [
    ...odd.map(told),
    ...sourceDetails([{ info, ranges }]),
    { type: 'errdefs.Vertex', value: { ranges } },
  ];
  expect(toldPlaces(details)).toEqual([place]);
  expect(toldPlaces([told({ ranges: [{ start: { line: 4 } }] })])).toEqual([
    { filename: undefined, lines: undefined, startLine: 4, endLine: 4 },
  ]);
});
