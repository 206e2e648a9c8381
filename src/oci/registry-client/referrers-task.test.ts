import { expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { listedReferrers, withReferrer } from './referrers-task.ts';

const entry = (name: string) => ({ mediaType: 'x/y', digest: digestOf(name), size: 1 });

test('a list has the new entry once, those of others, and not what is replaced; what is so already stays', () => {
  const list = (names: readonly string[]) => Buffer.from(JSON.stringify({ manifests: names.map(entry) }));
  const args = { bytes: list(['a', 'b', 'c']), entry: entry('d'), replaced: [entry('b').digest] };
  const written = withReferrer(args)!;
  const listed = listedReferrers({ bytes: written.bytes, artifactType: undefined });
  expect(listed).toEqual(['a', 'c', 'd'].map(entry));
  expect(withReferrer({ ...args, bytes: written.bytes })).toBeUndefined();
});
