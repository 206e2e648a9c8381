/**
 * Runs every layer of tests one after the other and adds up: lint, types, then the vitest projects. Prints each suite's time; the last line
 * is `N passed, N failed`, and before it stands why what failed did. A file that could not be loaded and a test that was skipped count as failed. Arguments narrow the layers: `scripts/test.ts unit`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** Of why a test failed, at the end: where only the last of the output is kept, all of it is to be there. */
const MOST_SHOWN = 600;

const root = path.resolve(import.meta.dirname, '..');
const work = mkdtempSync(path.join(tmpdir(), 'slipway-test-'));
const print = (line: string) => process.stdout.write(`${line}\n`);
let passed = 0;
let failed = 0;
const failures: string[] = [];

function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): { ok: boolean; seconds: number } {
  const started = performance.now();
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    // Properties as often as they are worth, see `src/base/testing/runs.ts`.
    env: { ...process.env, SLIPWAY_ALL_RUNS: '1', ...env },
  });
  return { ok: result.status === 0, seconds: (performance.now() - started) / 1000 };
}

function check(name: string, args: readonly string[]): void {
  const { ok, seconds } = node(args);
  if (ok) passed++;
  else {
    failed++;
    failures.push(name);
  }
  print(`${ok ? 'ok  ' : 'FAIL'} ${name} ${seconds.toFixed(1)}s`);
}

function shown(message: string): string {
  const lines = stripVTControlCharacters(message).split('\n');
  const text = lines.filter((line) => !/^\s+at .*(node_modules\/vitest|new Promise)/.test(line)).join('\n');
  return `\n    ${(text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text).replaceAll('\n', '\n    ')}`;
}

function project(name: string): void {
  const file = path.join(work, name);
  print(`--- ${name}`);
  const { ok, seconds } = node(['node_modules/vitest/vitest.mjs', 'run', '--project', name], {
    SLIPWAY_TEST_REPORT: file,
  });
  let report: Report;
  let errors: readonly string[];
  try {
    report = JSON.parse(readFileSync(`${file}.json`, 'utf8')) as Report;
    errors = JSON.parse(readFileSync(`${file}.errors.json`, 'utf8')) as string[];
  } catch {
    failed++;
    failures.push(`${name}: the runner ended without a report`);
    return;
  }
  let failedHere = 0;
  for (const suite of report.testResults) {
    const short = path.relative(root, suite.name);
    const bad = suite.assertionResults.filter((test) => test.status !== 'passed');
    passed += suite.assertionResults.length - bad.length;
    const loadFailed = suite.assertionResults.length === 0 || (bad.length === 0 && suite.status === 'failed');
    failedHere += bad.length + (loadFailed ? 1 : 0);
    for (const { fullName, status, failureMessages = [] } of bad)
      failures.push(`${short}: ${fullName} (${status})${failureMessages.map(shown).join('')}`);
    if (loadFailed) failures.push(`${short}: ${suite.message?.split('\n')[0] || 'no test ran'}`);
    if (name !== 'unit')
      print(
        `${bad.length === 0 && !loadFailed ? 'ok  ' : 'FAIL'} ${short} ${((suite.endTime - suite.startTime) / 1000).toFixed(1)}s`,
      );
  }
  for (const error of errors) failures.push(`${name}: thrown outside of any test${shown(error)}`);
  if (!ok && failedHere === 0) {
    failedHere++;
    failures.push(`${name}: the runner failed outside of any test`);
  }
  failed += failedHere;
  print(`${failedHere === 0 ? 'ok  ' : 'FAIL'} ${name} ${seconds.toFixed(1)}s`);
}

const layers: Readonly<Record<string, () => void>> = {
  lint: () => check('lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']),
  types: () => check('types', ['node_modules/typescript/bin/tsc', '--noEmit']),
  unit: () => project('unit'),
  engine: () => project('engine'),
  protocol: () => project('protocol'),
  e2e: () => project('e2e'),
};
const chosen = process.argv.slice(2);
for (const name of chosen.length > 0 ? chosen : Object.keys(layers)) {
  const layer = layers[name];
  if (layer === undefined) throw new Error(`no such layer: ${name}; there are ${Object.keys(layers).join(', ')}`);
  layer();
}
rmSync(work, { recursive: true, force: true });
for (const failure of failures) print(`failed: ${failure}`);
print(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
