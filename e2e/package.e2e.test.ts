import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runImage } from './support/image.ts';
import { root } from './support/paths.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/** As a user's own project may check it, with the types of what it imports. */
const STRICT = ['--noEmit', '--strict', '--target', 'esnext', '--module', 'nodenext', '--types', 'node', '--typeRoots'];

/** The published package is bundled JavaScript: what a user installs builds an image, and is a library that makes graphs. */
test('npm pack, installed in an empty folder, builds an image and makes graphs', async () => {
  using work = tempFolder('package');
  await must('npm', ['pack', '--silent', '--pack-destination', work.path], { cwd: root });
  const tarball = readdirSync(work.path).find((name) => name.endsWith('.tgz')) as string;
  const home = path.join(work.path, 'app');
  mkdirSync(home);
  writeFileSync(path.join(home, 'package.json'), '{"name":"app","version":"1.0.0","private":true}\n');
  await must('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', path.join(work.path, tarball)], {
    cwd: home,
  });
  const packed = await must('tar', ['-tzf', path.join(work.path, tarball)]);
  expect(packed.stdout).not.toMatch(/\/src\/|\.test\.|\.made-from/);
  const modules = path.join(home, 'node_modules');
  expect(readdirSync(modules).filter((name) => !/^\.|^node-linux-/.test(name))).toEqual([
    '@koromix',
    'koffi',
    'slipway',
  ]);
  const licences = readFileSync(path.join(modules, 'slipway/dist/THIRD-PARTY'), 'utf8');
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  for (const bundled of ['@grpc/grpc-js', '@kubernetes/client-node', 'long', 'zod'])
    expect(licences).toContain(`\n${bundled} ${devDependencies[bundled] ?? ''}`);

  writeFileSync(
    path.join(home, 'graph.mts'),
    `import { definitionToDot, image, marshalOutput, type State } from 'slipway/llb';
const state: State = image('busybox').run({ args: ['true'] }).root;
process.stdout.write(definitionToDot(marshalOutput(state.output)));
`,
  );
  await must(
    process.execPath,
    [
      path.join(root, 'node_modules/typescript/bin/tsc'),
      ...STRICT,
      path.join(root, 'node_modules/@types'),
      'graph.mts',
    ],
    {
      cwd: home,
    },
  );
  expect((await must(process.execPath, ['graph.mts'], { cwd: home })).stdout).toContain('docker.io/library/busybox');

  const slipway = path.join(home, 'node_modules/.bin/slipway');
  const env = { SLIPWAY_ROOT: path.join(work.path, 'root') };
  expect((await must(slipway, ['version'])).stdout).toMatch(/^slipway \d+\.\d+\.\d+\n$/);

  const context = path.join(work.path, 'context');
  mkdirSync(context);
  copyFileSync('/bin/busybox', path.join(context, 'busybox'));
  const manifest = path.join(work.path, 'build.yaml');
  writeFileSync(
    manifest,
    `apiVersion: slipway.build/v1alpha1
kind: Build
metadata: { name: packed }
spec:
  source: { upload: {} }
  dockerfile:
    inline: |
      FROM scratch
      COPY busybox /bin/sh
      RUN echo from the package > /said
      CMD ["/bin/sh", "-c", "while read -r line; do echo $line; done < /said"]
  outputs: [{ image: packed }]
`,
  );
  const metadata = path.join(work.path, 'metadata.json');
  try {
    await must(
      slipway,
      ['build', '-f', manifest, '--context', context, '--progress', 'plain', '--metadata-file', metadata],
      { env },
    );
    const { 'slipway.image.pull': pull } = (await import(metadata, { with: { type: 'json' } })).default as Record<
      string,
      string
    >;
    expect((await runImage(pull as string, work.path)).stdout).toBe('from the package\n');
  } finally {
    await must(slipway, ['stop'], { env });
  }
});
