import { expect, test } from 'vitest';
import { atOnce, digestOf, neverAborted } from '../../base/index.ts';
import { differingParts, EarlierSteps, lineages, placeOf } from './earlier-steps.ts';
import type { RecordedPart } from './key-parts.ts';
import type { RecordedVertex } from './recorded-keys.ts';

const options = { signal: neverAborted };

function step(name: string, parts: readonly RecordedPart[], ...inputs: readonly RecordedVertex[]): RecordedVertex {
  return {
    digest: digestOf(JSON.stringify([name, parts, inputs.map(({ digest }) => digest)])),
    name,
    maps: [{ digest: digestOf(JSON.stringify(parts)), parts: [{ kind: 'op', name: '', value: 'exec' }, ...parts] }],
    inputs: inputs.map(({ digest }) => ({ vertex: digest, output: 0 })),
    outputs: [],
  };
}

const arg = (value: string): RecordedPart => ({ kind: 'arg', name: '2', value });
const env = (value: string): RecordedPart => ({ kind: 'env', name: 'A', value });
const base = step('[1/3] FROM base', []);

async function nearest(steps: readonly RecordedVertex[], ...records: readonly (readonly RecordedVertex[])[]) {
  const known = atOnce(lineages(steps));
  const vertex = steps.at(-1)!;
  const sought = { vertex, lineage: known.get(vertex.digest)!, place: placeOf(vertex, known), isSameOp: false };
  const earlier = new EarlierSteps(
    (async function* () {
      yield* records;
    })(),
  );
  return await earlier.nearest(sought, options);
}

test('the step of the same names is nearest, of several the one with the fewest other parts, of equals the newest', async () => {
  const now = [base, step('[2/3] RUN make', [arg('make'), env('now')], base)];
  const [far, near, old] = ['far', 'near', 'old'].map((name) =>
    step('[2/9] RUN make', name === 'far' ? [arg('other'), env('far')] : [arg('make'), env(name)], base),
  );
  expect(await nearest(now, [base, far!], [base, near!], [base, old!])).toBe(near);
  const elsewhere = step('[2/3] RUN make', [arg('make'), env('now')], step('[1/3] FROM another', []));
  expect(await nearest(now, [elsewhere], [base, far!])).toBe(far);
});

test('a step with another command is found by where it stands, and by nothing where there is nothing like it', async () => {
  const now = [base, step('[2/3] RUN make all', [arg('make all')], base)];
  const before = step('[2/3] RUN make', [arg('make')], base);
  expect(await nearest(now, [base, before])).toBe(before);
  expect(differingParts(now[1]!, before).map(({ kind, name }) => `${kind} ${name}`)).toEqual(['arg 2']);
  expect(await nearest(now, [step('[1/2] FROM x', [], base)])).toBe(undefined);
  expect(await nearest(now)).toBe(undefined);
});

test('however many steps are alike in however many records, few are looked at', async () => {
  const many = Array.from({ length: 5000 }, (_, n) => step('RUN same', [arg(`${n}`)], base));
  let read = 0;
  const known = atOnce(lineages([base, many[0]!]));
  const vertex = step('RUN nothing like it', [env('x')], step('FROM elsewhere', []));
  const earlier = new EarlierSteps(
    (async function* () {
      for (; ; read++) yield [base, ...many];
    })(),
  );
  const sought = { vertex, lineage: 'x', place: placeOf(vertex, known), isSameOp: false };
  expect(await earlier.nearest(sought, options)).toBe(undefined);
  expect(read).toBeLessThan(10);
});
