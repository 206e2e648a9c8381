import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ScratchOptions {
  /** Made when it is not there. */
  readonly parent: string;
  readonly prefix: string;
  /** By name, what is in it from the start. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Worker task: makes a directory. */
export function makeScratchTask({ parent, prefix, files = {} }: ScratchOptions): string {
  mkdirSync(parent, { recursive: true, mode: 0o711 });
  const path = mkdtempSync(join(parent, prefix));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

/** Worker task: removes a path of ours with all below it. */
export function removeTreeTask(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
