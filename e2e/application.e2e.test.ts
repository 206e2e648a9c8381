import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { type GitServer, startGitServer } from './support/git-server.ts';
import { runImage } from './support/image.ts';
import { cache, root, slipway } from './support/paths.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/**
 * A real application with a three-stage Dockerfile in a git repository, whose packages are fetched during RUN: built by the command and by buildctl, pulled back by
 * another tool, and run. Its tool chain is a base image made from Debian packages by the engine itself.
 */
describe('the application', () => {
  using work = tempFolder('application');
  let registry: RegistryServer;
  let git: GitServer;
  let builder: TestBuilder;
  let commit: string;
  const trees = path.join(cache, 'e2e-toolchain');
  /** The CAs that this machine trusts, which may be more than an image has: a build secret, so that they reach no image. */
  const caFile = process.env['SSL_CERT_FILE'] ?? '/etc/ssl/certs/ca-certificates.crt';

  beforeAll(async () => {
    await must('sh', [
      path.join(root, 'scripts/debian-trees.sh'),
      trees,
      'busybox-static',
      'base-files',
      'libc6',
      'golang-1.19-go',
      'golang-1.19-src',
      'ca-certificates',
    ]);
    copyFileSync(path.join(root, 'e2e/testdata/toolchain.Dockerfile'), path.join(trees, 'Dockerfile'));
    registry = await RegistryServer.start({ root: path.join(work.path, 'registry'), durable: false });
    git = await startGitServer(work.path);
    commit = await git.create('fortune', path.join(root, 'e2e/testdata/app'));
    builder = await startBuilder(work.path);
    const base = await builder.buildctl([
      'build',
      '--progress=plain',
      '--frontend',
      'dockerfile.v0',
      '--local',
      `context=${trees}`,
      '--local',
      `dockerfile=${trees}`,
      '--output',
      `type=image,name=${registry.host}/toolchain:latest,push=true`,
    ]);
    expect(base, base.output).toMatchObject({ code: 0 });
  });

  afterAll(async () => {
    await builder?.[Symbol.asyncDispose]();
    await git?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  const goproxy = () =>
    must('go', ['env', 'GOPROXY']).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    );

  test('is built by the command from its git repository, pulled back and run', async () => {
    const manifest = path.join(work.path, 'build.yaml');
    const metadata = path.join(work.path, 'metadata.json');
    writeFileSync(
      manifest,
      `apiVersion: slipway.build/v1alpha1
kind: Build
metadata: { name: fortune }
spec:
  source: { git: { url: "${git.url}/fortune.git", ref: main } }
  contexts: [{ name: toolchain, oci: { image: "${registry.host}/toolchain" } }]
  args: [{ name: GOPROXY, value: "${await goproxy()}" }]
  secrets: [{ id: ca, secretRef: { name: ca } }]
  outputs: [{ image: "${registry.host}/fortune", tags: [v1] }]
  cache: { from: [{ ref: "${registry.host}/cache:main" }], to: [{ ref: "${registry.host}/cache:main", mode: max }] }
`,
    );
    const ran = await must(slipway, [
      'build',
      '-f',
      manifest,
      '--builder',
      builder.address,
      '--secret',
      `id=ca,src=${caFile}`,
      '--progress',
      'plain',
      '--metadata-file',
      metadata,
    ]);
    expect(ran.stderr).toContain('digest sha256:');
    const image = await runImage(`${registry.host}/fortune:v1`, work.path);
    expect(image.stdout).toBe('a0c0010c-2194-5381-a9ab-59ea916f4f0a a slipway is where ships begin\n');
    expect(image.digest).toBe(
      (JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>)['containerimage.digest'],
    );
    // Only the binary: neither tool chain nor the machine's CAs are in what was pulled.
    expect(image.files).toEqual(['fortune']);
  });

  test('is built by buildctl too, from the cache that the first build left', async () => {
    const ran = await builder.buildctl([
      'build',
      '--progress=plain',
      '--frontend',
      'dockerfile.v0',
      '--opt',
      `context=${git.url}/fortune.git#main`,
      '--opt',
      `context:toolchain=docker-image://${registry.host}/toolchain`,
      '--opt',
      `build-arg:GOPROXY=${await goproxy()}`,
      '--secret',
      `id=ca,src=${caFile}`,
      '--output',
      `type=image,name=${registry.host}/fortune:v2,push=true`,
    ]);
    expect(ran, ran.output).toMatchObject({ code: 0 });
    expect(ran.output).toMatch(/\[modules \d\/\d\] RUN[^\n]*\n(#\d+ CACHED)/);
    expect((await runImage(`${registry.host}/fortune:v2`, work.path)).stdout).toContain(
      'a slipway is where ships begin',
    );
  });

  test('is built by another builder, which has nothing, from the cache that the first has written', async () => {
    const folder = path.join(work.path, 'other');
    mkdirSync(folder);
    await using other = await startBuilder(folder);
    const manifest = path.join(work.path, 'build.yaml');
    const ran = await must(slipway, [
      ...['build', '-f', manifest, '--builder', other.address],
      ...['--secret', `id=ca,src=${caFile}`, '--progress', 'plain'],
    ]);
    const all = ran.stdout + ran.stderr;
    expect(all).toMatch(/\[modules \d\/\d\] RUN[^\n]*\n(#\d+ CACHED)/);
    // Not a layer of it was pulled.
    expect(all).not.toMatch(/^#\d+ (?:extracting )?sha256:/m);
    expect((await runImage(`${registry.host}/fortune:v1`, work.path)).stdout).toContain(
      'a slipway is where ships begin',
    );
  });

  test('a new commit rebuilds what it changed and nothing else', async () => {
    const next = await git.commit('fortune', (worktree) => {
      const file = path.join(worktree, 'words/words.go');
      writeFileSync(file, readFileSync(file, 'utf8').replace('a slipway is where ships begin', 'launched'));
    });
    expect(next).not.toBe(commit);
    const ran = await must(slipway, [
      'build',
      '-f',
      path.join(work.path, 'build.yaml'),
      '--builder',
      builder.address,
      '--secret',
      `id=ca,src=${caFile}`,
      '--progress',
      'plain',
    ]);
    expect(ran.stderr).toMatch(/\[modules \d\/\d\] RUN[^\n]*\n#\d+ CACHED/);
    expect(ran.stderr).not.toMatch(/\[build \d\/\d\] RUN[^\n]*\n#\d+ CACHED/);
    expect((await runImage(`${registry.host}/fortune:v1`, work.path)).stdout).toContain('launched');
  });

  test('the secret is in no file of the builder’s state', async () => {
    const secret = path.join(work.path, 'secret.txt');
    const value = `s3cr3t-${process.pid}-${Date.now()}-value-of-a-secret`;
    writeFileSync(secret, value);
    const context = path.join(work.path, 'secret-context');
    await must('mkdir', ['-p', context]);
    copyFileSync('/bin/busybox', path.join(context, 'sh'));
    writeFileSync(
      path.join(context, 'Dockerfile'),
      'FROM scratch\nCOPY sh /bin/sh\nRUN --mount=type=secret,id=s read -r line < /run/secrets/s; case $line in s3cr3t-*) : > /seen ;; *) exit 1 ;; esac\n',
    );
    const ran = await builder.buildctl([
      'build',
      '--progress=plain',
      '--frontend',
      'dockerfile.v0',
      '--local',
      `context=${context}`,
      '--local',
      `dockerfile=${context}`,
      '--secret',
      `id=s,src=${secret}`,
    ]);
    expect(ran, ran.output).toMatchObject({ code: 0 });
    const grep = spawn('grep', ['-rlF', value, builder.root, path.join(work.path, 'buildkitd.log')]);
    const found: Buffer[] = [];
    grep.stdout.on('data', (chunk: Buffer) => found.push(chunk));
    await new Promise((resolve) => grep.once('close', resolve));
    expect(Buffer.concat(found).toString()).toBe('');
    expect(existsSync(builder.root)).toBe(true);
  });
});
