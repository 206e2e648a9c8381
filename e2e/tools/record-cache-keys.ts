/**
 * Records src/builder-pod/ops/cache-map/testdata/records.json: the cache keys that a real buildkitd writes for the graphs of testing/scenarios.ts. Run
 * against a fresh buildkitd: `sh scripts/with-node.sh e2e/tools/record-cache-keys.ts ADDRESS BUILDCTL WORK-DIRECTORY`.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  CONTEXT,
  EXEC_SCENARIOS,
  FILE_SCENARIOS,
  SCAN_SCENARIOS,
} from '../../src/builder-pod/ops/cache-map/testing/scenarios.ts';
import { encodeDefinition } from '../../src/llb/index.ts';

const [address, buildctl, work] = process.argv.slice(2) as [string, string, string];
const ctx = join(work, 'ctx');
const rootfs = join(work, 'rootfs');

process.umask(0o022);
for (const directory of [ctx, rootfs]) rmSync(directory, { recursive: true, force: true });
for (const [name, content] of Object.entries(CONTEXT)) {
  const [path, mode = '0644'] = name.split('#') as [string, string?];
  const full = join(ctx, path);
  mkdirSync(path.endsWith('/') ? full : dirname(full), { recursive: true });
  if (path.endsWith('/')) continue;
  if (content.startsWith('->')) symlinkSync(content.slice(2), full);
  else {
    writeFileSync(full, content);
    chmodSync(full, Number.parseInt(mode, 8));
  }
}
mkdirSync(join(rootfs, 'bin'), { recursive: true });
cpSync('/bin/busybox', join(rootfs, 'bin/busybox'), { dereference: true });
for (const name of ['sh', 'cat', 'touch']) symlinkSync('busybox', join(rootfs, 'bin', name));

const scenarios: Record<string, unknown> = {};
for (const [name, state] of Object.entries({ ...FILE_SCENARIOS, ...SCAN_SCENARIOS, ...EXEC_SCENARIOS })) {
  const definition = state.marshal({ platform: { os: 'linux', architecture: 'amd64' }, localUniqueId: 'u' });
  const cache = join(work, `cache-${name}`);
  rmSync(cache, { recursive: true, force: true });
  const args = ['--addr', address, 'build', '--progress=plain', '--local', `ctx=${ctx}`, '--local', `rootfs=${rootfs}`];
  args.push('--output', 'type=tar,dest=/dev/null', '--export-cache', `type=local,dest=${cache},mode=max`);
  execFileSync(buildctl, args, { input: encodeDefinition(definition), stdio: ['pipe', 'ignore', 'inherit'] });
  const index = join(cache, 'index.json');
  if (!existsSync(index)) throw new Error(`${name}: buildkitd exported nothing`);
  const blob = (digest: string) => JSON.parse(readFileSync(join(cache, 'blobs/sha256', digest.slice(7)), 'utf8'));
  const manifest = blob(JSON.parse(readFileSync(index, 'utf8')).manifests[0].digest);
  const { records } = blob(manifest.config.digest) as { records: { digest: string; inputs?: unknown }[] };
  scenarios[name] = { records: records.map(({ digest, inputs }) => ({ digest, inputs })) };
}
const origin =
  'cacheconfig blobs of buildkitd v0.34.2, --export-cache type=local,mode=max; made by e2e/tools/record-cache-keys.ts';
const file = new URL('../../src/builder-pod/ops/cache-map/testdata/records.json', import.meta.url);
writeFileSync(file, `${JSON.stringify({ origin, scenarios }, undefined, 1)}\n`);
