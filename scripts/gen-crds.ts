/** Writes crds/, docs/resources.md and docs/failures.md from src/resources. Run by `npm run crds`; a test fails while they are stale. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { generatedFiles } from '../src/resources/generate.ts';

const root = path.resolve(import.meta.dirname, '..');
for (const [file, text] of generatedFiles()) {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}
