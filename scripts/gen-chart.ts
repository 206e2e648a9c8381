/** Writes what of charts/slipway is made from its values and from src/resources. Run by `npm run chart`; a test fails while it is stale. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { chartFiles } from './chart-files.ts';

const root = path.resolve(import.meta.dirname, '..');
for (const [file, text] of chartFiles(root)) writeFileSync(path.join(root, file), text);
