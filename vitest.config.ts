import { writeFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import type { Reporter } from 'vitest/node';

/**
 * Layers of tests (CONTRIBUTING.md): `unit` needs neither root nor network; `engine` needs root, overlayfs and runc and runs
 * one file at a time; `protocol` adds the real clients, two files at a time; `e2e` runs whole journeys. Whatever waits here waits long: a machine that is busy otherwise fails no
 * test, and what never comes is an error all the same.
 */

const patience = (ms: number) => ({ testTimeout: ms, hookTimeout: ms, expect: { poll: { timeout: ms / 2 } } });
const alone = { pool: 'forks' as const, fileParallelism: false, ...patience(300_000) };

/** Where scripts/test.ts reads what came of a layer: `<report>.json` of its tests, `<report>.errors.json` of what was thrown outside of any. */
const report = process.env['SLIPWAY_TEST_REPORT'];
const unhandled: Reporter = {
  onTestRunEnd: (_, errors) =>
    writeFileSync(`${report}.errors.json`, JSON.stringify(errors.map(({ message, stack }) => stack || message))),
};

export default defineConfig({
  test: {
    ...(report === undefined ? {} : { reporters: ['dot', ['json', { outputFile: `${report}.json` }], unhandled] }),
    // Those that say that they may run side by side mostly wait.
    maxConcurrency: 20,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['**/*.engine.test.ts', '**/*.protocol.test.ts'],
          pool: 'forks',
          // A process for each file loads the same modules again, which costs more than most tests do: whatever a test changes for all, it puts back.
          isolate: false,
          // On the last core too: much of it waits.
          maxWorkers: '100%',
          ...patience(120_000),
        },
      },
      { test: { name: 'engine', include: ['src/**/*.engine.test.ts'], ...alone } },
      {
        test: {
          name: 'protocol',
          include: ['src/**/*.protocol.test.ts'],
          pool: 'forks',
          // Each has daemons, registries and folders of its own, and waits for them most of its time.
          maxWorkers: 2,
          ...patience(300_000),
        },
      },
      { test: { name: 'e2e', include: ['e2e/**/*.e2e.test.ts'], ...alone } },
    ],
  },
});
