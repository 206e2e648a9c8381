import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lstat, readXattrs } from '../../../sys/index.ts';
import { wholeSeconds } from '../compare.ts';

/** A temp directory that is gone after the test. */
export function tempDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'slipway-layers-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Everything about a tree that a layer must carry, by path; hard links name their group's first path. */
export function describeTree(
  root: string,
  options: { readonly skipXattr?: RegExp; readonly wholeSeconds?: boolean } = {},
): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  const inodes = new Map<string, string>();
  const visit = (path: string) => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const here = path === '' ? name : `${path}/${name}`;
      const full = join(root, here);
      const stat = lstat(full);
      const key = `${stat.dev}:${stat.ino}`;
      const first = stat.type === 'dir' ? undefined : inodes.get(key);
      if (first === undefined) inodes.set(key, here);
      const xattrs = Object.fromEntries(
        [...readXattrs(full)]
          .filter(([attribute]) => !options.skipXattr?.test(attribute))
          .map(([attribute, value]) => [attribute, value.toString('hex')]),
      );
      all[here] = {
        type: stat.type,
        mode: stat.mode.toString(8),
        owner: `${stat.uid}:${stat.gid}`,
        mtime: options.wholeSeconds ? wholeSeconds(stat.mtimeNs) : stat.mtimeNs,
        xattrs,
        ...(first === undefined ? {} : { linkOf: first }),
        ...(stat.type === 'file'
          ? { size: stat.size, content: createHash('sha256').update(readFileSync(full)).digest('hex') }
          : {}),
        ...(stat.type === 'symlink' ? { target: readlinkSync(full) } : {}),
        ...(stat.type === 'char' || stat.type === 'block' ? { device: `${stat.rdevMajor}:${stat.rdevMinor}` } : {}),
      };
      if (stat.type === 'dir') visit(here);
    }
  };
  visit('');
  return all;
}
