import { describe, expect, test } from 'vitest';
import { parseBuild, parsePoolCache } from '../resources/index.ts';
import { type CachedBuild, planBuild, scopePath } from './index.ts';

const cacheOf = (rest = '') => parsePoolCache(`{ ref: reg.example.com/cache${rest} }`, 'cache.yaml');
const build = (namespace: string, name: string, scope?: string): CachedBuild => ({ namespace, name, scope });

function plan(spec: string, cache: ReturnType<typeof cacheOf>, others: readonly CachedBuild[] = []) {
  const parsed = parseBuild(
    `apiVersion: slipway.build/v1alpha1\nkind: Build\nmetadata: { name: app }\nspec: ${spec}\n`,
    'build.yaml',
  );
  const { cacheImports, cacheExports } = planBuild(parsed, {
    defaultRegistry: undefined,
    sharedCache: { cache, build: build('team', 'app', parsed.spec.cache?.scope), others },
  });
  const told = (all: typeof cacheImports) => all.map(({ type, attrs }) => `${type} ${attrs['ref']}`);
  return { imports: told(cacheImports), exports: told(cacheExports), written: cacheExports.at(-1)?.attrs };
}

const SPEC = '{ dockerfile: { inline: FROM scratch } }';

describe('the cache of a pool or cluster', () => {
  test('is read and written while a run goes on, beside what the Build names itself', () => {
    expect(plan(SPEC, cacheOf())).toEqual({
      imports: ['registry reg.example.com/cache/namespaces/team:team.app'],
      exports: ['registry reg.example.com/cache/namespaces/team:team.app'],
      written: {
        ref: 'reg.example.com/cache/namespaces/team:team.app',
        ...{ mode: 'continuous', merge: 'true', 'ignore-error': 'true' },
      },
    });
    const own = '{ dockerfile: { inline: FROM scratch }, cache: { from: [{ ref: a.b/c }], to: [{ ref: a.b/d }] } }';
    expect(plan(own, cacheOf())).toMatchObject({
      imports: ['registry a.b/c', expect.any(String)],
      exports: ['registry a.b/d', expect.any(String)],
    });
  });

  test('of a Build that is to use none is written, and not read', () => {
    const noCache = '{ dockerfile: { inline: FROM scratch }, cache: { noCache: true } }';
    expect(plan(noCache, cacheOf())).toMatchObject({ imports: [], exports: [expect.any(String)] });
  });

  test('keeps namespaces apart, but for those of one scope', () => {
    const cache = cacheOf(', scopes: [{ name: web, namespaces: [team, shop] }]');
    expect(scopePath(cache, build('team', 'a'))).toBe('scopes/web');
    expect(scopePath(cache, build('shop', 'a'))).toBe('scopes/web');
    expect(scopePath(cache, build('web', 'a'))).toBe('namespaces/web');
    expect(scopePath(cacheOf(', scopes: [{ name: all }]'), build('any', 'a'))).toBe('scopes/all');
    const apart = scopePath(cacheOf(', scopes: [{ name: all }]'), build('team', 'a', 'pull/../requests'));
    expect(apart).toMatch(/^namespaces\/team\/apart\/[0-9a-f]{16}$/);
    expect(scopePath(cache, build('shop', 'a', 'pull/../requests'))).not.toBe(apart);
  });

  test('reads those of other Builds of its scope, few and the newest, and none of another', () => {
    const others = [
      build('other', 'x'),
      build('team', 'apart', 'pr'),
      ...Array.from({ length: 9 }, (_, at) => build('team', `b${at}`)),
    ];
    expect(plan(SPEC, cacheOf(), others).imports).toEqual(
      ['app', 'b0', 'b1', 'b2', 'b3'].map((name) => `registry reg.example.com/cache/namespaces/team:team.${name}`),
    );
  });

  test('has tags that every registry takes, one a Build, however long their names are', () => {
    const names = ['x'.repeat(240), `${'x'.repeat(240)}y`];
    const refs = plan(
      SPEC,
      cacheOf(),
      names.map((name) => build('team', name)),
    ).imports.slice(1);
    expect(new Set(refs).size).toBe(2);
    for (const ref of refs) expect(ref).toMatch(/:[\w][\w.-]{0,127}$/);
  });

  test('has cache mounts when it is told to, unless the Build has a place for them', () => {
    const cache = cacheOf(', mounts: true, keepLast: 2, maxSize: 1Gi, interval: 3s');
    const planned = plan(SPEC, cache);
    expect(planned.imports.at(-1)).toBe('mounts reg.example.com/cache/namespaces/team/mounts');
    expect(planned.exports).toEqual([
      'registry reg.example.com/cache/namespaces/team:team.app',
      'mounts reg.example.com/cache/namespaces/team/mounts',
    ]);
    const own = '{ dockerfile: { inline: FROM scratch }, cache: { mounts: { from: a.b/m } } }';
    expect(plan(own, cache).exports).toHaveLength(1);
    expect(plan(own, cache).written).toMatchObject({
      ...{ 'keep-last': '2', 'max-size': '1073741824', 'continuous-interval': '3s' },
    });
  });
});

test.for([
  'reg.example.com/cache:tag',
  'reg.example.com/cache@sha256:'.padEnd(93, 'a'),
  'reg.example.com/Cache',
])('%s is no repository for it', (ref) =>
  expect(() => parsePoolCache(JSON.stringify({ ref }), 'cache.yaml')).toThrow(/ref/));
