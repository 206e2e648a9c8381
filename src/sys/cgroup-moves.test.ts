import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { CgroupMoves } from './cgroup-moves.ts';

test('this process is moved to where it is, and where there is no such group nothing happens', async () => {
  const tree = mkdtempSync(path.join(tmpdir(), 'slipway-moves-'));
  try {
    for (const line of readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')) {
      const [id = '', controllers = '', name = ''] = line.split(':');
      const version = id === '0' ? 2 : 1;
      const at = path.join(tree, id);
      const procs = path.join(at, name, 'cgroup.procs');
      const moves = new CgroupMoves({
        kind: 'hybrid',
        hierarchies: [{ version, path: at, controllers: version === 2 ? [] : controllers.split(',') }],
      });
      moves.expect();
      mkdirSync(path.dirname(procs), { recursive: true });
      writeFileSync(procs, '');
      moves.expect();
      await expect.poll(() => readFileSync(procs, 'utf8')).toBe(String(process.pid));
    }
    new CgroupMoves({ kind: 'none', hierarchies: [] }).expect();
  } finally {
    rmSync(tree, { recursive: true });
  }
});
