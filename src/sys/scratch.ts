import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { neverAborted } from '../base/index.ts';
import { mountTasks } from './mount-tasks.ts';
import type { Task, WorkerPool } from './threads/pool.ts';
import { siblingModule } from './threads/sibling-module.ts';

const MAKE: Task = { module: siblingModule(import.meta.url, './scratch'), fn: 'makeScratchTask' };

export interface ScratchOptions {
  /** Made when it is not there. */
  readonly parent: string;
  readonly prefix: string;
  /** By name, what is in it from the start. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A directory of one's own, which goes with all that is in it. */
export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

/** Makes a directory, in a worker, since neither a new one nor the end of a large one is without waits for the disk. */
export async function makeScratch(
  pool: WorkerPool,
  options: ScratchOptions,
  { signal }: { readonly signal: AbortSignal },
): Promise<Scratch> {
  const path = await pool.run<string>(MAKE, options, { signal });
  return {
    path,
    [Symbol.asyncDispose]: () => pool.run<void>(mountTasks.removeTree, path, { signal: neverAborted }),
  };
}

export function makeScratchTask({ parent, prefix, files = {} }: ScratchOptions): string {
  mkdirSync(parent, { recursive: true, mode: 0o711 });
  const path = mkdtempSync(join(parent, prefix));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}
