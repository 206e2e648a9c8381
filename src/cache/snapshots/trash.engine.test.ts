import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bind, unmountOrDetach, WorkerPool } from '../../sys/index.ts';
import { Trash } from './trash.ts';

test('what cannot be removed keeps nothing else in the trash', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'slipway-trash-'));
  const held = path.join(folder, 'held/fs');
  let isMounted = false;
  try {
    const source = path.join(folder, 'source');
    for (const directory of [source, held]) mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(source, 'file'), 'x');
    bind(source, held, { readonly: true });
    isMounted = true;
    await using pool = new WorkerPool({ name: 'test', threads: 1 });
    await using trash = new Trash(path.join(folder, 'trash'), pool);
    // A mount that nobody told it of.
    trash.discard(path.join(folder, 'held'));
    for (let n = 0; n < 8; n++) {
      const tree = path.join(folder, `tree-${n}`);
      mkdirSync(path.join(tree, 'below'), { recursive: true });
      trash.discard(tree);
    }
    await trash.idle();
    const [left, ...others] = readdirSync(path.join(folder, 'trash'));
    expect(others).toEqual([]);
    unmountOrDetach(path.join(folder, 'trash', left!, 'fs'));
    isMounted = false;
    expect(readdirSync(source)).toEqual(['file']);
  } finally {
    if (isMounted) unmountOrDetach(held);
    rmSync(folder, { recursive: true });
  }
});
