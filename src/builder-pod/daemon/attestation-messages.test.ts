import { expect, test } from 'vitest';
import { attestationMessages, attestationsOf } from './attestation-messages.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

test('what a result says of itself is the same on the way out as on the way in', () => {
  const message = {
    'linux/amd64': {
      attestation: [
        {
          ...{ kind: 1, metadata: { reason: Buffer.from('sbom') }, ref: { id: 'r' }, path: '/b' },
          inTotoPredicateType: 'https://spdx.dev/Document',
          inTotoSubjects: [
            { kind: 0, name: 'me' },
            { kind: 1, name: 'n', digest: [digest] },
          ],
        },
        { kind: 0, metadata: {}, ref: { id: '' }, path: '/p', inTotoPredicateType: 't', inTotoSubjects: [] },
      ],
    },
  };
  expect(attestationMessages(attestationsOf(message), ({ id }) => ({ id }))).toEqual(message);
});

test.each([
  [{ kind: 7 }, 'unknown attestation kind 7'],
  [{ inTotoSubjects: [{ kind: 5 }] }, 'unknown attestation subject kind 5'],
  [{ inTotoSubjects: [{ kind: 1, digest: ['nonsense'] }] }, 'invalid digest "nonsense"'],
])('%j is refused', (attestation, why) => {
  expect(() => attestationsOf({ x: { attestation: [attestation] } })).toThrow(why);
});

test('there are a thousand at most', () => {
  expect(() => attestationsOf({ x: { attestation: Array.from({ length: 1001 }, () => ({})) } })).toThrow('1000');
});
