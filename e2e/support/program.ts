import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { must } from './run.ts';

/** Copies a program of this machine with the shared libraries that it loads to the same paths below `root`. */
export async function copyProgram(name: string, root: string): Promise<void> {
  const program = (await must('sh', ['-c', `command -v ${name}`])).stdout.trim();
  const libraries = (await must('ldd', [program])).stdout.matchAll(/(?:=> |^\s+)(\/\S+)/gm);
  for (const file of [program, ...[...libraries].map(([, library]) => library as string)]) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    copyFileSync(file, path.join(root, file));
  }
}
