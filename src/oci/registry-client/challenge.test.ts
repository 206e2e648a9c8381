import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseChallenges } from './challenge.ts';

test('several challenges with quoted and bare parameters', () => {
  expect(
    parseChallenges(
      'Bearer realm="https://auth.example.com/token?a=b,c",service="x \\"y\\"", scope=repo, Basic realm="z"',
    ),
  ).toEqual([
    {
      scheme: 'bearer',
      parameters: { realm: 'https://auth.example.com/token?a=b,c', service: 'x "y"', scope: 'repo' },
    },
    { scheme: 'basic', parameters: { realm: 'z' } },
  ]);
  expect(parseChallenges('Negotiate, Basic')).toEqual([
    { scheme: 'negotiate', parameters: {} },
    { scheme: 'basic', parameters: {} },
  ]);
});

test('whatever a server sends ends', () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (header) => void parseChallenges(header)));
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '=', '"', ',', ' ', '\\'), maxLength: 50 }),
      (header) => void parseChallenges(header),
    ),
  );
});

test('what is quoted comes back', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const quoted = value.replaceAll(/["\\]/g, '\\$&');
      expect(parseChallenges(`Bearer realm="${quoted}"`)).toEqual([{ scheme: 'bearer', parameters: { realm: value } }]);
    }),
  );
});
