import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, building, makeContext, steps } from './support/context.ts';
import { leftovers } from './support/leftovers.ts';
import { buildctl } from './support/paths.ts';
import { must, run } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

interface Config {
  readonly os: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly history: readonly { readonly created_by: string; readonly empty_layer?: boolean }[];
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

const DOCKERFILE = `${BASE}
FROM base AS tool
ARG WHO=nobody
ENV GREETING="hello \${WHO}"
WORKDIR /work
COPY a.txt .
RUN --mount=type=secret,id=token echo "$GREETING" > greeting && wc -c < /run/secrets/token > size && ln greeting second
USER 12:34
EXPOSE 80/tcp
VOLUME /data
LABEL made.by="a test"
ENTRYPOINT ["cat"]
CMD ["/work/greeting"]
FROM tool AS other
RUN exit 9
`;

describe('outputs of buildctl build', () => {
  const work = tempFolder('daemon-outputs');
  const folder = work.path;
  const context = path.join(folder, 'context');
  const token = path.join(folder, 'token');
  const opts = ['--opt', 'target=tool', '--opt', 'build-arg:WHO=you', '--secret', `id=token,src=${token}`];
  let builder: TestBuilder;
  let registry: RegistryServer;
  const { succeeds } = building(() => builder);

  beforeAll(async () => {
    makeContext(context, { Dockerfile: DOCKERFILE, 'a.txt': 'one\n' });
    writeFileSync(token, '12345');
    registry = await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false });
    builder = await startBuilder(folder);
    await succeeds(context, opts);
  });

  afterAll(async () => {
    await builder?.stop();
    await registry?.[Symbol.asyncDispose]();
    expect(leftovers(path.join(folder, 'root'))).toEqual([]);
    work[Symbol.dispose]();
  });

  const build = (...args: string[]) => succeeds(context, [...opts, ...args]);

  async function checkTree(layout: string): Promise<void> {
    const at = path.join(folder, `unpacked-${path.basename(layout)}`);
    await must('umoci', ['unpack', '--image', layout, at]);
    expect(readFileSync(path.join(at, 'rootfs/work/second'), 'utf8')).toBe('hello you\n');
    expect(readFileSync(path.join(at, 'rootfs/work/size'), 'utf8')).toBe('5\n');
  }

  test('an image pushed: config, layers, metadata file', async () => {
    const name = `${registry.host}/tool:1`;
    const metadataFile = path.join(folder, 'metadata.json');
    const ran = await build('--output', `type=image,name=${name},push=true`, '--metadata-file', metadataFile);
    expect(ran.output).toContain(`pushing manifest for ${name}`);
    const { stdout } = await must('skopeo', ['inspect', '--tls-verify=false', '--config', `docker://${name}`]);
    const config = JSON.parse(stdout) as Config;
    expect(config).toMatchObject({
      os: 'linux',
      config: {
        Entrypoint: ['cat'],
        Cmd: ['/work/greeting'],
        Env: [expect.stringMatching(/^PATH=/), 'GREETING=hello you'],
        WorkingDir: '/work',
        User: '12:34',
        ExposedPorts: { '80/tcp': {} },
        Volumes: { '/data': {} },
        Labels: { 'made.by': 'a test' },
      },
    });
    expect(config.history.filter((one) => one.empty_layer !== true)).toHaveLength(config.rootfs.diff_ids.length);
    expect(config.history.map((one) => one.created_by)).toContainEqual(expect.stringContaining('COPY a.txt .'));
    const digest = JSON.parse((await must('skopeo', ['inspect', '--tls-verify=false', `docker://${name}`])).stdout);
    const metadata = JSON.parse(readFileSync(metadataFile, 'utf8')) as Record<string, unknown>;
    expect(metadata).toMatchObject({
      'containerimage.digest': (digest as { Digest: string }).Digest,
      'containerimage.config.digest': expect.stringMatching(/^sha256:/),
      'containerimage.descriptor': { mediaType: expect.stringContaining('manifest'), size: expect.any(Number) },
      'image.name': name,
    });
    const layout = path.join(folder, 'pulled');
    await must('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${name}`, `oci:${layout}:it`]);
    await checkTree(`${layout}:it`);
  });

  test('an OCI archive, an OCI layout and a docker archive hold the same image', async () => {
    const tar = path.join(folder, 'image.tar');
    const layout = path.join(folder, 'layout');
    const docker = path.join(folder, 'docker.tar');
    await build('--output', `type=oci,dest=${tar},name=example.com/tool:1`);
    await build('--output', `type=oci,tar=false,dest=${layout},name=example.com/tool:1`);
    await build('--output', `type=docker,dest=${docker},name=example.com/tool:1`);
    const config = async (source: string) =>
      JSON.parse((await must('skopeo', ['inspect', '--config', source])).stdout) as Config;
    const fromTar = await config(`oci-archive:${tar}`);
    expect(fromTar.config).toMatchObject({ Entrypoint: ['cat'] });
    expect((await config(`oci:${layout}`)).rootfs).toEqual(fromTar.rootfs);
    expect((await config(`docker-archive:${docker}`)).rootfs).toEqual(fromTar.rootfs);
    expect((await must('tar', ['-tf', docker])).stdout).toMatch(/^manifest\.json$/m);
    expect((await must('tar', ['-xOf', docker, 'manifest.json'])).stdout).toContain('example.com/tool:1');
    await must('skopeo', ['copy', '-q', `oci-archive:${tar}`, `oci:${folder}/again:it`]);
    await checkTree(`${folder}/again:it`);
  });

  test('files: a folder and a tar', async () => {
    const out = path.join(folder, 'files');
    const tar = path.join(folder, 'files.tar');
    await build('--output', `type=local,dest=${out}`);
    await build('--output', `type=tar,dest=${tar}`);
    expect(readFileSync(path.join(out, 'work/greeting'), 'utf8')).toBe('hello you\n');
    expect(readdirSync(path.join(out, 'work')).sort()).toEqual(['a.txt', 'greeting', 'second', 'size']);
    expect((await must('tar', ['-xOf', tar, 'work/greeting'])).stdout).toBe('hello you\n');
    expect((await must('tar', ['-tvf', tar, 'work/second'])).stdout).toMatch(/link to work\/greeting|^-/);
  });

  test('several outputs of one build', async () => {
    const out = path.join(folder, 'several');
    const tar = path.join(folder, 'several.tar');
    await build('--output', `type=local,dest=${out}`, '--output', `type=oci,dest=${tar}`);
    expect(existsSync(path.join(out, 'work/greeting'))).toBe(true);
    expect(JSON.parse((await must('skopeo', ['inspect', '--config', `oci-archive:${tar}`])).stdout)).toMatchObject({
      config: { Entrypoint: ['cat'] },
    });
  });

  test('--no-cache runs all of it again; without, all is cached', async () => {
    expect(steps((await build()).output)).toMatchObject({ ran: [], cached: { length: 5 } });
    expect(steps((await build('--no-cache')).output)).toMatchObject({ cached: [], ran: { length: 5 } });
  });

  test('progress: raw json lines, a terminal, and the build’s ref in a file', async () => {
    const refFile = path.join(folder, 'ref');
    const raw = await build('--no-cache', '--progress=rawjson', '--ref-file', refFile);
    const lines = raw.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { vertexes?: { name: string; completed?: string }[] });
    const done = lines.flatMap(({ vertexes = [] }) => vertexes).filter((vertex) => vertex.completed !== undefined);
    expect(done.map(({ name }) => name)).toContainEqual(expect.stringContaining('COPY a.txt .'));
    expect(readFileSync(refFile, 'utf8')).toMatch(/^\S+$/);

    const locals = ['--local', `context=${context}`, '--local', `dockerfile=${context}`];
    const command = [buildctl, '--addr', builder.address, 'build', '--progress=tty', '--frontend', 'dockerfile.v0'];
    const typed = await run('script', ['-qec', [...command, ...locals, ...opts].join(' '), '/dev/null'], {
      env: { TERM: 'xterm', COLUMNS: '160', LINES: '40' },
    });
    expect(typed.code, typed.output).toBe(0);
    expect(typed.output).toMatch(/\[\+\] Building .*FINISHED/);
    expect(typed.output).toMatch(/=> CACHED .*COPY a\.txt \./);
  });
});
