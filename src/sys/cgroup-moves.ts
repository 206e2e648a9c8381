import { closeSync, constants, openSync, readFileSync, write } from 'node:fs';
import type { CgroupLayout } from './cgroup.ts';

/**
 * Processes come into groups one at a time behind a lock of the whole machine, and whoever takes it after a pause waits for a grace period of the kernel first, some 10 ms, unless somebody has just had
 * it. A container's runtime comes to that wait after ten milliseconds of other work; so the wait is begun when the runtime is.
 */
export class CgroupMoves {
  readonly #layout: CgroupLayout;
  #isPending = false;

  constructor(layout: CgroupLayout) {
    this.#layout = layout;
  }

  /** Says that a process is about to be moved: moves this one to where it is, which changes nothing. A thread of libuv waits. Where that is not allowed, nothing is lost. */
  expect(): void {
    if (this.#isPending) return;
    let fd: number;
    try {
      const procs = ownProcs(this.#layout);
      if (procs === undefined) return;
      fd = openSync(procs, constants.O_WRONLY);
    } catch {
      return;
    }
    this.#isPending = true;
    write(fd, String(process.pid), () => {
      this.#isPending = false;
      closeSync(fd);
    });
  }
}

/** Where processes of this one's group are listed, in one of the trees; read each time, lest it is moved back from where somebody has moved it. */
function ownProcs({ hierarchies: [tree] }: CgroupLayout): string | undefined {
  if (tree === undefined) return undefined;
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [, id, controllers, name] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const isOfTree =
      tree.version === 2 ? id === '0' : tree.controllers.some((one) => controllers?.split(',').includes(one));
    if (isOfTree) return `${tree.path}${name === '/' ? '' : name}/cgroup.procs`;
  }
  return undefined;
}
