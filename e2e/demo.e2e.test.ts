import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runImage } from './support/image.ts';
import { leftovers } from './support/leftovers.ts';
import { root, slipway } from './support/paths.ts';
import { must, run } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

const work = tempFolder('demo');
const env = { SLIPWAY_ROOT: path.join(work.path, 'root') };

afterAll(async () => {
  await run(slipway, ['stop'], { env });
  work[Symbol.dispose]();
});

test('the demo builds, pushes, runs the image, and finds every step cached the second time', async () => {
  const ran = await must('sh', [path.join(root, 'scripts/demo.sh')], { env });
  expect(ran.stdout).toContain('HELLO FROM SLIPWAY.\nBuilt for you.\n');
  const again = /again +(\d+) of (\d+) steps from the cache, in (\d+)% of the first time/.exec(ran.stdout);
  expect(again, ran.stdout).not.toBeNull();
  expect(again?.[1]).toBe(again?.[2]);
  expect(Number(again?.[3])).toBeLessThan(100);
  expect(ran.stdout).toMatch(/digest {2}sha256:[0-9a-f]{64} \(both times\)/);
});

test('a Build that fails shows the lines it is about and ends with 1', async () => {
  const manifest = path.join(work.path, 'failing.yaml');
  writeFileSync(
    manifest,
    readFileSync(path.join(root, 'examples/hello/build.yaml'), 'utf8').replace(
      'sh words.sh',
      'echo about to fail && exit 7',
    ),
  );
  const ran = await run(slipway, ['build', '-f', manifest, '--progress', 'plain'], { env });
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('about to fail');
  expect(ran.stderr).toContain('exit code: 7');
  expect(ran.stderr).toMatch(/>>> RUN mkdir -p \/out && echo about to fail/);
});

test('a Build of a graph makes an image that runs, without a Dockerfile, and finds all of it again', async () => {
  const metadata = path.join(work.path, 'graph.json');
  const build = async () => {
    const manifest = path.join(root, 'examples/graph/build.yaml');
    const { stderr } = await must(slipway, ['build', '-f', manifest, '--metadata-file', metadata], { env });
    const told: Readonly<Record<string, unknown>> = JSON.parse(readFileSync(metadata, 'utf8'));
    return { stderr, told };
  };
  const first = await build();
  expect(first.stderr).toContain('[words] tr a-z A-Z < words.txt > /out/words.txt');
  const { stdout } = await runImage(String(first.told['slipway.image.pull']), work.path);
  expect(stdout).toBe('ONE\nTWO\nTHREE\nBuilt for you.\nwords = /usr/share/words\n');
  const again = await build();
  expect(again.told['containerimage.digest']).toBe(first.told['containerimage.digest']);
  const { steps, cached } = again.told['slipway.build'] as { readonly steps: number; readonly cached: number };
  expect(cached).toBe(steps);
});

test('Ctrl-C ends a build within seconds and says so', async () => {
  const manifest = path.join(work.path, 'slow.yaml');
  writeFileSync(
    manifest,
    readFileSync(path.join(root, 'examples/hello/build.yaml'), 'utf8').replace(
      'sh words.sh',
      'echo sleeping && sleep 600',
    ),
  );
  let stop = () => {};
  const ran = await run(slipway, ['build', '-f', manifest, '--progress', 'plain'], {
    env,
    onStart: (child) => {
      stop = () => child.kill('SIGINT');
    },
    onOutput: (output) => output.includes(' sleeping\n') && stop(),
  });
  expect(ran.code).toBe(130);
});

test('stop ends the private builder and leaves nothing', async () => {
  await must(slipway, ['stop'], { env });
  expect(leftovers(env.SLIPWAY_ROOT)).toEqual([]);
  expect((await must(slipway, ['stop'], { env })).stdout).toBe('no private builder runs\n');
});
