import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const TREE = '/sys/fs/cgroup';

/** Makes the group that all pods of a node lie in, in the one tree of cgroup v2 or in that of each controller of v1. Disposing removes it with all below. */
export async function makeCgroups(name: string): Promise<AsyncDisposable> {
  const unified = existsSync(path.join(TREE, 'cgroup.controllers'));
  // Controllers that share a tree are links to it.
  const trees = unified ? [TREE] : readdirSync(TREE).map((tree) => realpathSync(path.join(TREE, tree)));
  const groups = [...new Set(trees)]
    .filter((tree) => existsSync(path.join(tree, 'cgroup.procs')))
    .map((tree) => path.join(tree, name));
  // Of a run that was killed.
  for (const group of groups) await remove(group);
  for (const group of groups) {
    mkdirSync(group);
    // Without these no process may enter a group of v1.
    for (const file of unified ? [] : ['cpuset.cpus', 'cpuset.mems']) {
      const parent = path.join(path.dirname(group), file);
      if (existsSync(parent)) writeFileSync(path.join(group, file), readFileSync(parent));
    }
  }
  return {
    [Symbol.asyncDispose]: async () => {
      for (const group of groups) await remove(group);
    },
  };
}

/** A group is busy for a moment after its last process ended. */
async function remove(group: string): Promise<void> {
  for (let tries = 0; existsSync(group); tries++) {
    for (const below of existsSync(group) ? readdirSync(group, { withFileTypes: true }) : [])
      if (below.isDirectory()) await remove(path.join(group, below.name));
    try {
      rmdirSync(group);
    } catch (error) {
      if (tries === 200) throw error;
      await sleep(50);
    }
  }
}
