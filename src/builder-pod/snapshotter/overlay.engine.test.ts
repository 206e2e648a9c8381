import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { openTestState } from '../../cache/testing/open-state.ts';
import { snapshotterSuite } from '../../cache/testing/snapshotter-suite.ts';
import { inUserNamespace, ROOT } from '../../sys/index.ts';

snapshotterSuite('overlay', openTestState);
snapshotterSuite('overlay of a user namespace', () =>
  openTestState({ privileges: inUserNamespace(ROOT.capabilities) }),
);

test('what is removed leaves the disk in the background, however deep', async () => {
  await using state = await openTestState();
  const { snapshotter, trash, layout } = state;
  await snapshotter.prepare('key', undefined, { signal: neverAborted });
  const before = process.cwd();
  try {
    // Deeper than a path can name.
    process.chdir(snapshotter.upperDir('key'));
    for (let n = 0; n < 1200; n++) {
      mkdirSync('dddddddddd');
      process.chdir('dddddddddd');
    }
    writeFileSync('f', '');
  } finally {
    process.chdir(before);
  }
  mkdirSync(join(snapshotter.upperDir('key'), 'more'));
  writeFileSync(join(snapshotter.upperDir('key'), 'more', 'f'), '');
  await snapshotter.remove('key', { signal: neverAborted });
  await trash.idle();
  expect(readdirSync(layout.snapshots)).toEqual([]);
  expect(readdirSync(join(layout.tmp, 'trash'))).toEqual([]);
});
