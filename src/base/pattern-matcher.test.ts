import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchGlob } from './glob.ts';
import { type ParentMatches, PatternMatcher, parseIgnoreFile } from './pattern-matcher.ts';
import { runs } from './testing/runs.ts';

interface Vectors {
  patterns: { patterns: string[]; error?: boolean; paths?: Record<string, boolean> }[];
  globs: { Pattern: string; Name: string; Match: boolean; Err: boolean }[];
  ignore: { text: string; patterns: string[] };
}
const vectors: Vectors = JSON.parse(readFileSync(new URL('testdata/patterns.json', import.meta.url), 'utf8'));

describe('vectors made by the Go libraries that BuildKit uses', () => {
  test.each(vectors.patterns.map((vector) => [JSON.stringify(vector.patterns), vector] as const))('%s', (_, vector) => {
    if (vector.error) {
      expect(() => new PatternMatcher(vector.patterns)).toThrow(/pattern/);
      return;
    }
    const matcher = new PatternMatcher(vector.patterns);
    const got = Object.fromEntries(Object.keys(vector.paths ?? {}).map((path) => [path, matcher.matches(path)]));
    expect(got).toEqual(vector.paths);
  });

  test('matchGlob', () => {
    const wrong = vectors.globs.filter(({ Pattern, Name, Match, Err }) => {
      try {
        return matchGlob(Pattern, Name) !== Match;
      } catch {
        // Go reports a malformed tail only where it gets there; a pattern is refused here whatever the name.
        return !Err && Match;
      }
    });
    expect(wrong).toEqual([]);
  });

  test('parseIgnoreFile', () => {
    expect(parseIgnoreFile(vectors.ignore.text)).toEqual(vectors.ignore.patterns);
  });
});

const segment = fc.constantFrom('a', 'b', 'ab', 'c.go', 'x');
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const pattern = fc
  .tuple(
    fc.boolean(),
    fc.array(fc.constantFrom('a', 'b', 'ab', '*', '**', '*.go', 'a*', '?'), { minLength: 1, maxLength: 4 }),
  )
  .map(([negated, parts]) => (negated ? '!' : '') + parts.join('/'));

function viaWalk(matcher: PatternMatcher, target: string) {
  let parents: ParentMatches = [];
  let result = false;
  let prunedAt: string | undefined;
  let unreachable = false;
  const parts = target.split('/');
  for (let depth = 1; depth <= parts.length; depth++) {
    const at = parts.slice(0, depth).join('/');
    const match = matcher.matchChild(at, parents);
    parents = match.parents;
    result = match.matched;
    if (depth === parts.length) break;
    if (match.matched && matcher.canPrune(at)) prunedAt ??= at;
    if (!match.matched && !matcher.mayMatchInside(at)) unreachable = true;
  }
  return { result, prunedAt, unreachable };
}

test('a pruned directory holds nothing unmatched, a directory not worth entering nothing matched', () => {
  fc.assert(
    fc.property(fc.array(pattern, { minLength: 1, maxLength: 5 }), path, (patterns, target) => {
      const { result, prunedAt, unreachable } = viaWalk(new PatternMatcher(patterns), target);
      if (prunedAt !== undefined) expect(result).toBe(true);
      if (unreachable && prunedAt === undefined) expect(result).toBe(false);
    }),
    runs(2000),
  );
});

test('a directory is pruned unless a later exception may lie inside', () => {
  const matcher = new PatternMatcher(['node_modules', 'dist', '!dist/keep/**']);
  expect(matcher.canPrune('node_modules')).toBe(true);
  expect(matcher.canPrune('dist')).toBe(false);
  expect(matcher.canPrune('dist/other')).toBe(true);
  expect(matcher.canPrune('dist/keep')).toBe(false);
});

test('hostile patterns end quickly', () => {
  const bomb = `${'*a'.repeat(40)}b`;
  expect(matchGlob(bomb, 'a'.repeat(2000))).toBe(false);
  expect(new PatternMatcher([`${'**/a*'.repeat(20)}b`]).matches(`${'a/'.repeat(500)}a`)).toBe(false);
});
