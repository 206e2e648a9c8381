import { expect, test } from 'vitest';
import { git, image, scratch } from '../../llb/index.ts';
import { mainContext } from './main-context.ts';

const contextOf = (input: ReturnType<ReturnType<typeof git>['marshal']> | undefined, attribute?: string) =>
  mainContext({
    frontendAttrs: new Map(attribute === undefined ? [] : [['context', attribute]]),
    frontendInputs: new Map(input === undefined ? [] : [['context', input]]),
  });

test('the main context is known by its address, also where it is a graph of one git source', () => {
  const repository = git('https://example.com/team/app', { ref: 'main' });
  expect(contextOf(undefined, 'https://example.com/app.git#main')).toBe('https://example.com/app.git#main');
  expect(contextOf(repository.marshal())).toBe('https://example.com/team/app');
  expect(contextOf(repository.run({ args: ['make'] }).root.marshal())).toBeUndefined();
  expect(contextOf(image('alpine').marshal())).toBeUndefined();
  expect(contextOf(scratch().marshal())).toBeUndefined();
  expect(contextOf({ ...repository.marshal(), ops: [new Uint8Array([255, 255])] })).toBeUndefined();
});
