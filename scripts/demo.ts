/** Walks through the main job and says what it does; see demo.sh. Fails with the exit code of the step that failed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const cache =
  process.env['SLIPWAY_CACHE'] ?? path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'slipway');
const trees = path.join(cache, 'demo-base');
const slipway = path.join(root, 'bin/slipway');
const work = mkdtempSync(path.join(tmpdir(), 'slipway-demo-'));
const say = (text: string) => process.stdout.write(`\n== ${text}\n`);

class StepFailed extends Error {}

function run(command: string, args: readonly string[], capture = false): string {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
  });
  if (result.status !== 0)
    throw new StepFailed(
      `${path.basename(command)} ${args.join(' ')} failed: ${result.error?.message ?? `exit code ${result.status}`}`,
    );
  return result.stdout ?? '';
}

interface Metadata {
  readonly 'containerimage.digest': string;
  readonly 'slipway.image.pull': string;
  readonly 'slipway.build': { readonly steps: number; readonly cached: number; readonly elapsedMs: number };
}

function build(file: string, ...more: string[]): Metadata {
  const metadata = path.join(work, 'metadata.json');
  run(slipway, ['build', '-f', file, '--metadata-file', metadata, ...more]);
  return JSON.parse(readFileSync(metadata, 'utf8')) as Metadata;
}

/** Pulls with another tool and runs what came, so that the image is seen to be one. */
function runImage(image: string): string {
  run('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${image}`, `oci:${work}/image:it`]);
  run('umoci', ['unpack', '--image', `${work}/image:it`, `${work}/bundle`], true);
  const config = path.join(work, 'bundle/config.json');
  const spec = JSON.parse(readFileSync(config, 'utf8')) as { process: { terminal: boolean; rlimits?: unknown } };
  spec.process.terminal = false;
  delete spec.process.rlimits;
  writeFileSync(config, JSON.stringify(spec));
  return run('runc', ['run', '--bundle', `${work}/bundle`, `slipway-demo-${process.pid}`], true);
}

try {
  say('A base image from Debian packages, built by the engine (examples/base/build.yaml)');
  run('sh', ['scripts/debian-trees.sh', trees, 'busybox-static', 'base-files']);
  build('examples/base/build.yaml', '--context', trees);

  say('The first Build (examples/hello/build.yaml)');
  const first = build('examples/hello/build.yaml');

  say(`Pulled by skopeo and run by runc: ${first['slipway.image.pull']}`);
  process.stdout.write(runImage(first['slipway.image.pull']));

  say('The same Build again');
  const second = build('examples/hello/build.yaml');
  say('Done');
  const share = Math.round((100 * second['slipway.build'].elapsedMs) / Math.max(1, first['slipway.build'].elapsedMs));
  process.stdout.write(
    `digest  ${second['containerimage.digest']}${second['containerimage.digest'] === first['containerimage.digest'] ? ' (both times)' : ''}\n` +
      `again   ${second['slipway.build'].cached} of ${second['slipway.build'].steps} steps from the cache, in ${share}% of the first time\n` +
      `next    change examples/hello/build.yaml and run: bin/slipway build -f examples/hello/build.yaml\n`,
  );
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  process.stderr.write(`\nslipway demo: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
