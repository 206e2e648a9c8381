import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { must } from './run.ts';

/** Copies a program of this machine, by its name or path, to `at` below `root` (the same path when absent), and the shared libraries that it loads to theirs. */
export async function copyProgram(name: string, root: string, at?: string): Promise<void> {
  const program = (await must('sh', ['-c', `command -v ${name}`])).stdout.trim();
  const libraries = (await must('ldd', [program])).stdout.matchAll(/(?:=> |^\s+)(\/\S+)/gm);
  for (const [from, to] of [[program, at ?? program], ...[...libraries].map(([, library]) => [library, library])]) {
    const file = path.join(root, to as string);
    mkdirSync(path.dirname(file), { recursive: true });
    copyFileSync(from as string, file);
  }
}
