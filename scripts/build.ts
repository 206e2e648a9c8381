/** Builds what is published: src/ as JavaScript and declarations in dist/, generated wire code beside it. */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
const compiled = spawnSync(
  process.execPath,
  [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', path.join(root, 'tsconfig.build.json')],
  {
    stdio: 'inherit',
  },
);
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
for (const entry of readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
  if (/(^|\/)wire\/[^/]+\.(js|d\.ts)$/.test(entry)) cpSync(path.join(root, 'src', entry), path.join(dist, entry));
}
