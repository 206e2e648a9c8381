import { expect, test } from 'vitest';
import { inlineDefinition } from './inline.ts';

test('the step that writes files is named by the field that has them: a build may have several', () => {
  const text = (field: string) => Buffer.from(inlineDefinition({ a: 'x' }, field)).toString('latin1');
  expect(text('spec.source.inline.files')).toContain('[internal] write spec.source.inline.files');
  expect(text('spec.dockerfile.inline')).toContain('[internal] write spec.dockerfile.inline');
});
