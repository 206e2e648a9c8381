import { expect, test } from 'vitest';
import { decodeDefinition, encodeDefinition } from '../codec/index.ts';
import { merge, scratch } from '../graph/index.ts';
import { git, http } from '../graph/sources.ts';
import { buildSteps } from './build-steps.ts';

test('what is told of sources has no credentials, wherever a source has them', () => {
  const state = merge([
    http('http://user:hunter2@example.com/f', { filename: 'f' }),
    git('https://user:hunter2@example.com/r.git', { ref: 'main' }),
    scratch(),
  ]);
  const definition = state.marshal({});
  const { steps } = buildSteps(decodeDefinition(encodeDefinition(definition)));
  const text = JSON.stringify(steps);
  expect(text).not.toContain('hunter2');
  expect(text).toContain('http://xxxxx:xxxxx@example.com/f');
  expect(text).toContain('example.com/r.git');
});
