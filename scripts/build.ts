/** Builds what is published, in dist/: bundles, licences of what went into them, and, unless `--without-types` is said, the declarations of the library. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundle } from './bundle.ts';
import { thirdParty } from './third-party.ts';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
writeFileSync(path.join(dist, 'THIRD-PARTY'), thirdParty(await bundle(dist)));
if (!process.argv.includes('--without-types')) {
  const declared = spawnSync(
    process.execPath,
    [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', path.join(root, 'tsconfig.build.json')],
    { stdio: 'inherit' },
  );
  process.exitCode = declared.status ?? 1;
}
