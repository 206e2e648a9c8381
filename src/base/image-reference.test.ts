import { describe, expect, test } from 'vitest';
import { formatImageReference, parseImageReference } from './image-reference.ts';

describe('names are refused in the words of the field (buildkitd v0.34.2)', () => {
  const MALFORMED = 'invalid reference format';
  const upper = (name: string) => `${MALFORMED}: repository name (${name}) must be lowercase`;
  test.each([
    ['FOO', upper('library/FOO')],
    ['A.b/C', upper('C')],
    ['FOO:BAR:z', upper('library/FOO')],
    ['foo:BAR:x', MALFORMED],
    ['a:b:c', MALFORMED],
    ['foo@sha256:00', MALFORMED],
    ['a@', MALFORMED],
    [`foo@md5:${'0'.repeat(32)}`, 'unsupported digest algorithm'],
    [`foo@sha256:${'0'.repeat(63)}`, 'invalid checksum digest length'],
    [`foo@sha256:${'A'.repeat(64)}`, 'invalid checksum digest format'],
    ['', MALFORMED],
    [':x', MALFORMED],
    ['a:', MALFORMED],
    ['a//b', MALFORMED],
    ['/a', MALFORMED],
    ['a/', MALFORMED],
    ['-a', MALFORMED],
    ['a_', MALFORMED],
    ['a___b', MALFORMED],
    ['a$', MALFORMED],
    ['a..b/x', MALFORMED],
    ['http://x/y', MALFORMED],
    ['a.b:c/d:E', MALFORMED],
    ['localhost:x/y', MALFORMED],
    ['docker.io/', MALFORMED],
    ['index.docker.io/x:Y!', MALFORMED],
    [`a:${'t'.repeat(129)}`, MALFORMED],
    ['a'.repeat(300), 'repository name must not be more than 255 characters'],
    ['0'.repeat(64), `invalid repository name (${'0'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  ])('%j', (text, message) => {
    const refusal = expect.objectContaining({ message, code: 'invalid_argument', hint: expect.any(String) });
    expect(() => parseImageReference(text)).toThrow(refusal);
  });
});

test.each([
  ['a', 'docker.io/library/a'],
  ['a/b:C', 'docker.io/a/b:C'],
  ['docker.io', 'docker.io/library/docker.io'],
  ['index.docker.io/x', 'docker.io/library/x'],
  ['A/b', 'A/b'],
  ['[::1]:5000/x', '[::1]:5000/x'],
  [`sha256:${'0'.repeat(64)}`, `docker.io/library/sha256:${'0'.repeat(64)}`],
  [`r.example/a:b@sha256:${'0'.repeat(64)}`, `r.example/a:b@sha256:${'0'.repeat(64)}`],
])('%j is %j', (text, full) => {
  expect(formatImageReference(parseImageReference(text))).toBe(full);
});
