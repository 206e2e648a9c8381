import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WorkerPool } from '../../sys/index.ts';
import { Trash } from './trash.ts';

/** What lies two levels below, of what is not removed meanwhile. */
function namesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    try {
      return readdirSync(path.join(folder, name));
    } catch {
      return [];
    }
  });
}

test('what was discarded is gone once settled, however much more comes meanwhile', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'slipway-trash-'));
  try {
    await using pool = new WorkerPool({ name: 'test', threads: 1 });
    await using trash = new Trash(path.join(folder, 'trash'), pool);
    let n = 0;
    const discard = () => {
      const tree = path.join(folder, `tree-${n++}`);
      mkdirSync(path.join(tree, 'below'), { recursive: true });
      writeFileSync(path.join(tree, 'below/file'), 'x');
      trash.discard(tree);
      expect(existsSync(tree)).toBe(false);
    };
    let isOver = false;
    const others = (async () => {
      for (; !isOver; await sleep(5)) discard();
    })();
    for (let round = 0; round < 3; round++) {
      const mine = path.join(folder, 'mine');
      mkdirSync(mine);
      writeFileSync(path.join(mine, `mine-${round}`), 'x');
      trash.discard(mine);
      await trash.settled();
      expect(namesIn(path.join(folder, 'trash'))).not.toContain(`mine-${round}`);
    }
    isOver = true;
    await others;
    await trash.idle();
    await trash.settled();
    expect(readdirSync(path.join(folder, 'trash'))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
