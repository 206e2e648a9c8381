import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseImageReference } from '../../base/index.ts';
import { demandedSigners, type TrustedRepositories } from './trusted-repositories.ts';
import { VerifyingKey } from './verifying-key.ts';

const keys = () =>
  VerifyingKey.parse(generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString());
const named = (...repositories: readonly string[]): readonly TrustedRepositories[] =>
  repositories.map((repository) => ({ repository, keys: keys(), identities: [] }));

test.each([
  ['registry.test/team/cache', 'registry.test'],
  ['registry.test/team/cache', 'registry.test/team'],
  ['registry.test/team/cache', 'registry.test/team/'],
  ['registry.test/team', 'registry.test/team'],
  ['registry.test:443/team', 'registry.test'],
  ['registry.test/team', 'registry.test:443'],
  ['Registry.TEST/team', 'registry.test'],
  ['registry.test:80/team', 'REGISTRY.test/team'],
  ['registry.test:5000/team', 'registry.test:5000'],
  ['docker.io/library/cache', 'docker.io'],
  ['index.docker.io/library/cache', 'docker.io/library'],
  ['cache', 'index.docker.io'],
  ['anywhere.test/x', '*'],
])('%s is among what %s names', (name, repository) => {
  expect(demandedSigners(parseImageReference(name), named(repository))).toBeDefined();
});

test.each([
  ['registry.test/teams/cache', 'registry.test/team'],
  ['registry.test/team-b', 'registry.test/team'],
  ['registry.test.evil/team', 'registry.test'],
  ['registry.test:5000/team', 'registry.test'],
  ['registry.test/other', 'registry.test/team'],
  ['elsewhere.test/registry.test/team', 'registry.test/team'],
])('%s is not among what %s names', (name, repository) => {
  expect(demandedSigners(parseImageReference(name), named(repository))).toBeUndefined();
});

test('the entry that names it most closely counts alone, wherever it stands', () => {
  const trusted = named('registry.test/team', '*', 'registry.test/team/cache', 'registry.test');
  const [team, all, cache, registry] = trusted;
  const of = (name: string) => demandedSigners(parseImageReference(name), trusted);
  expect(of('registry.test/team/cache')).toBe(cache);
  expect(of('registry.test/team/other')).toBe(team);
  expect(of('registry.test/x')).toBe(registry);
  expect(of('other.test/x')).toBe(all);
});
