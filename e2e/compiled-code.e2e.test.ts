import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';

const slipwayNode = path.resolve(import.meta.dirname, '../bin/slipway-node');
const folder = mkdtempSync(path.join(tmpdir(), 'slipway-compiled-'));
afterAll(() => rmSync(folder, { recursive: true }));
const SOMEBODY = 4711;

/** Starts the daemon's main under this HOME; whether compiled code was kept there. */
function keepsCodeIn(home: string): boolean {
  const env = { PATH: process.env['PATH'], HOME: home };
  expect(execFileSync(slipwayNode, ['builder-pod/main', '--version'], { env, encoding: 'utf8' })).toMatch(
    /^buildkitd /,
  );
  return existsSync(path.join(home, '.cache/slipway/compiled'));
}

test('compiled code is kept in the home of whoever runs it', () => {
  const own = path.join(folder, 'own');
  mkdirSync(own);
  expect(keepsCodeIn(own)).toBe(true);
});

test('it is neither kept in nor taken from a folder that somebody else could write to', () => {
  const home = path.join(folder, 'home');
  mkdirSync(home);
  chownSync(home, SOMEBODY, SOMEBODY);
  expect(keepsCodeIn(home)).toBe(false);
  const below = path.join(folder, 'below');
  mkdirSync(path.join(below, '.cache/slipway'), { recursive: true });
  chownSync(path.join(below, '.cache/slipway'), SOMEBODY, SOMEBODY);
  expect(keepsCodeIn(below)).toBe(false);
});
