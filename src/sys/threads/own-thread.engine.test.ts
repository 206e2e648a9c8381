import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { siblingModule } from './sibling-module.ts';

const program = fileURLToPath(siblingModule(import.meta.url, '../testdata/ending-threads'));

/** A process that ends threads of its own; how it ended itself. */
function run(mode: 'loading' | 'working' | 'leaving', rounds: number) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, mode, `${rounds}`], {
    encoding: 'utf8',
  });
  return { status, signal, stdout, stderr };
}

const WELL = { status: 0, signal: null, stdout: 'all ended\n', stderr: '' };

test('a thread may be ended at any moment while it loads the native library', () => {
  expect(run('loading', 25)).toEqual(WELL);
});

test('a thread may be ended at any moment of its native calls, those on other threads too', () => {
  expect(run('working', 25)).toEqual(WELL);
});

test('a process may end while its threads load the native library', () => {
  for (let round = 0; round < 3; round++) expect(run('leaving', 1)).toEqual(WELL);
});
