import { describe, expect, test } from 'vitest';
import { CodedError, digestOf } from '../base/index.ts';
import { decodeOp, encodeOp } from '../llb/index.ts';
import type { Definition, OpBody } from '../llb/op.ts';
import { buildDockerfile, syntaxIsBuiltIn } from './build.ts';
import { FakeClient } from './testing/fake-client.ts';

const call = { signal: new AbortController().signal };

function bodies(definition: Definition): OpBody[] {
  return definition.ops.map((bytes) => decodeOp(bytes).body);
}

function localAttrs(definition: Definition, name: string): Readonly<Record<string, string>> | undefined {
  for (const body of bodies(definition))
    if (body.kind === 'source' && body.source.identifier === `local://${name}`) return body.source.attrs;
  return undefined;
}

async function failure(client: FakeClient): Promise<CodedError> {
  const error: unknown = await buildDockerfile(client, call).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CodedError);
  return error as CodedError;
}

function json(bytes: Uint8Array | undefined): Record<string, never> {
  return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, never>;
}

describe('where the Dockerfile comes from', () => {
  test('the named one, with its ignore file in the same transfer', async () => {
    const client = new FakeClient(
      {
        'sub/My.Dockerfile': 'FROM scratch\nCOPY . /\n',
        'sub/My.Dockerfile.dockerignore': 'own\n',
        '.dockerignore': 'general\n',
      },
      { filename: 'sub/My.Dockerfile' },
    );
    await buildDockerfile(client, call);
    const first = localAttrs(client.solved[0]!.definition, 'dockerfile');
    expect(first?.['local.followpaths']).toBe('["sub/My.Dockerfile","sub/My.Dockerfile.dockerignore"]');
    expect(localAttrs(client.definition, 'context')?.['local.excludepatterns']).toBe('["own"]');
  });

  test('without one of its own, the ignore file of the context', async () => {
    const client = new FakeClient({ Dockerfile: 'FROM scratch\nCOPY . /\n', '.dockerignore': '# c\n/a\n!b\n' });
    await buildDockerfile(client, call);
    expect(localAttrs(client.definition, 'context')?.['local.excludepatterns']).toBe('["a","!b"]');
  });

  test('the lower-case name is taken where the usual one is missing', async () => {
    const client = new FakeClient({ dockerfile: 'FROM scratch\nCOPY a /\n' });
    await expect(buildDockerfile(client, call)).resolves.toBeDefined();
  });

  test('none at all is a fault of the user, with a way out', async () => {
    const error = await failure(new FakeClient({}));
    expect(error).toMatchObject({ code: 'invalid_argument', reason: 'DOCKERFILE_NOT_FOUND', fault: 'user' });
    expect(error.message).toMatch(/^failed to read dockerfile: open Dockerfile: no such file/);
    expect(error.hint).toContain('filename');
  });

  test('too large a file is refused, and read no further than tells so', async () => {
    const error = await failure(new FakeClient({ Dockerfile: '#'.repeat(16 * 1024 * 1024 + 1) }));
    expect(error.message).toContain('exceeds maximum allowed size');
  });

  test('each file that may be there is asked for once', async () => {
    const client = new FakeClient({ Dockerfile: 'FROM scratch\nCOPY a /a\n' });
    await buildDockerfile(client, call);
    expect(client.asked).toEqual(['read Dockerfile', 'read Dockerfile.dockerignore', 'read .dockerignore']);
  });

  test('a git context brings both, and no ignore file is asked for', async () => {
    const context = 'https://example.com/repo.git?branch=main#:sub';
    const client = new FakeClient({ Dockerfile: 'FROM scratch\nCOPY a /a\n' }, { context });
    await buildDockerfile(client, call);
    const sources = client.solved.flatMap(({ definition }) =>
      bodies(definition).flatMap((body) => (body.kind === 'source' ? [body.source.identifier] : [])),
    );
    expect(new Set(sources)).toEqual(new Set(['git://example.com/repo.git#refs/heads/main:sub']));
  });

  test('a context by http is a Dockerfile, or an archive to unpack', async () => {
    const plain = new FakeClient(
      { context: 'FROM scratch\nCOPY context /a\n' },
      { context: 'http://example.com/Dockerfile' },
    );
    await buildDockerfile(plain, call);
    expect(bodies(plain.definition).map(({ kind }) => kind)).toEqual(['source', 'file', 'pointer']);
    const gzip = new Uint8Array([0x1f, 0x8b, 8, 0]);
    const archive = new FakeClient(
      { context: gzip, Dockerfile: 'FROM scratch\nCOPY a /a\n' },
      { context: 'http://example.com/c.tgz' },
    );
    await buildDockerfile(archive, call);
    const [, unpack] = bodies(archive.definition);
    expect(unpack?.kind === 'file' && unpack.file.actions[0]?.body).toMatchObject({ copy: { attemptUnpack: true } });
  });

  test('an option names the session that serves a local directory', async () => {
    const client = new FakeClient({ Dockerfile: 'FROM scratch\nCOPY . /\n' }, { 'local-sessionid:context': 'other' });
    await buildDockerfile(client, call);
    expect(localAttrs(client.solved[0]!.definition, 'dockerfile')?.['local.session']).toBe('session');
    expect(localAttrs(client.definition, 'context')?.['local.session']).toBe('other');
  });
});

describe('a main context that is not there', () => {
  const gone = new CodedError('not_found', 'no access allowed to dir "context"', {
    fault: 'user',
    details: [{ type: 'errdefs.Vertex', value: { digest: 'sha256:0' } }],
  });

  function withoutContext(dockerfile: string, options: Readonly<Record<string, string>> = {}): FakeClient {
    const client = new FakeClient({ Dockerfile: dockerfile }, options);
    const solve = client.solve.bind(client);
    client.solve = async (request) => {
      const ref = await solve(request);
      const needsContext = localAttrs(request.definition, 'context') !== undefined;
      const lost = () => Promise.reject(gone);
      return needsContext ? { id: 'gone', readFile: lost, statFile: lost } : ref;
    };
    return client;
  }

  test.each([
    'FROM scratch\nCOPY <<f /f\nx\nf\n',
    'FROM scratch AS a\nCOPY . /\nFROM scratch\nENV A=b\n',
    'FROM localhost:5955/base:1\nRUN true\n',
    'FROM scratch\nADD https://example.com/a /a\n',
  ])('does not matter to a build that needs none: %j', async (dockerfile) => {
    const client = withoutContext(dockerfile);
    await client.addTestImages();
    await expect(buildDockerfile(client, call)).resolves.toBeDefined();
  });

  test.each(['COPY a /', 'ADD a /', 'RUN --mount=type=bind,target=/m x'])('fails what reads it: %s', async (line) => {
    const client = withoutContext(`FROM localhost:5955/base:1\n${line}\n`);
    await client.addTestImages();
    expect(await failure(client)).toMatchObject({ code: 'not_found', message: gone.message, fault: 'user' });
  });

  test('an ignore file that is too large is no missing one', async () => {
    const client = new FakeClient({ Dockerfile: 'FROM scratch\n', '.dockerignore': '#'.repeat(4 * 1024 * 1024 + 1) });
    expect((await failure(client)).message).toContain('.dockerignore exceeds maximum allowed size');
  });
});

describe('contexts that are graphs', () => {
  async function contextOf(index: number): Promise<Definition> {
    const client = new FakeClient({ Dockerfile: 'FROM scratch\nCOPY a /\n' });
    await buildDockerfile(client, call);
    const { ops, metadata } = client.definition;
    const pointer = decodeOp(ops.at(-1)!);
    const encoded = encodeOp({ ...pointer, inputs: [{ ...pointer.inputs[0]!, index }] });
    const others = [...metadata].filter(([digest]) => digest !== digestOf(ops.at(-1)!));
    return {
      ops: [...ops.slice(0, -1), encoded],
      metadata: new Map([...others, [digestOf(encoded), metadata.get(digestOf(ops.at(-1)!))!]]),
    };
  }

  test.each([0, 2])('the output %i that the graph names is the one that is read', async (index) => {
    const client = new FakeClient({ Dockerfile: 'FROM scratch\nCOPY b /b\n' });
    const given = await contextOf(index);
    client.definitions.set('context', given);
    await buildDockerfile(client, call);
    const producer = decodeOp(given.ops.at(-1)!).inputs[0]!;
    const copies = client.definition.ops.map(decodeOp).filter(({ body }) => body.kind === 'file');
    expect(copies.at(-1)?.inputs).toEqual([{ digest: producer.digest, index }]);
  });

  test.each([
    ['context', {}],
    ['graph', { 'context:base': 'input:graph' }],
  ])('no graph at all is told, and no other place read in its stead: %s', async (name, options) => {
    const client = new FakeClient({ Dockerfile: 'FROM base\nCOPY b /b\n' }, options);
    client.definitions.set(name, { ops: [], metadata: new Map() });
    const error = await failure(client);
    expect(error.message).toContain('invalid nil input definition to definition op');
    expect(error.fault).toBe('user');
  });
});

describe('what is built', () => {
  test('only what the target needs is looked up and built', async () => {
    const text = 'FROM example.com/never AS a\nRUN false\nFROM scratch AS b\nCOPY b /b\nFROM a\n';
    const client = new FakeClient({ Dockerfile: text }, { target: 'b' });
    await buildDockerfile(client, call);
    expect(client.lookups).toEqual([]);
    expect(bodies(client.definition).map(({ kind }) => kind)).toEqual(['source', 'file', 'pointer']);
  });

  test('a target that is not there is named, with the nearest', async () => {
    const error = await failure(
      new FakeClient({ Dockerfile: 'FROM scratch AS builder\nFROM scratch\n' }, { target: 'bulder' }),
    );
    expect(error.message).toBe('target stage "bulder" could not be found (did you mean builder?)');
  });

  test('one image is asked for each platform, by its vertex name', async () => {
    const client = new FakeClient(
      { Dockerfile: 'FROM localhost:5955/base:1\nRUN x\n' },
      { platform: 'linux/amd64,linux/arm64' },
    );
    await client.addTestImages();
    const { refs, metadata } = await buildDockerfile(client, call);
    expect([...refs!.keys()]).toEqual(['linux/amd64', 'linux/arm64']);
    expect(client.lookups.map(({ request }) => request.logName).sort()).toEqual([
      '[linux/amd64 internal] load metadata for localhost:5955/base:1',
      '[linux/arm64 internal] load metadata for localhost:5955/base:1',
    ]);
    expect(json(metadata.get('containerimage.config/linux/arm64'))).toMatchObject({ architecture: 'arm64' });
    expect(json(metadata.get('refs.platforms'))).toEqual({
      Platforms: [
        { ID: 'linux/amd64', Platform: { architecture: 'amd64', os: 'linux' } },
        { ID: 'linux/arm64', Platform: { architecture: 'arm64', os: 'linux' } },
      ],
    });
  });

  test('an image that cannot be resolved fails at its line with a suggestion', async () => {
    const error = await failure(new FakeClient({ Dockerfile: 'FROM scratch\nFROM alpin\n' }));
    expect(error.message).toContain('(did you mean alpine?)');
    expect(error.details[0]?.value).toMatchObject({ ranges: [{ start: { line: 2 } }] });
  });

  test('a cancelled build throws the reason it was given', async () => {
    const controller = new AbortController();
    const client = new FakeClient({ Dockerfile: 'FROM example.com/a\nFROM example.com/b\n' });
    const reason = new CodedError('cancelled', 'no longer wanted');
    client.resolveImageConfig = async () => {
      controller.abort(reason);
      throw reason;
    };
    await expect(buildDockerfile(client, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('failing checks fail the build before anything is solved', async () => {
    const client = new FakeClient({ Dockerfile: '# check=error=true\nFROM scratch AS Up\nCOPY a /a\n' });
    expect((await failure(client)).message).toBe('lint violation found for rules: StageNameCasing');
    expect(client.solved).toHaveLength(2);
  });
});

test.each([
  ['shm-size', 'x', 'failed to parse shm size: strconv.ParseInt: parsing "x": invalid syntax'],
  [
    'memory',
    'x',
    'failed to parse resource limits: invalid memory value: x: strconv.ParseInt: parsing "x": invalid syntax',
  ],
  ['memory', '0', 'failed to parse resource limits: invalid memory value: 0: must be > 0'],
  ['memswap', '0', 'failed to parse resource limits: invalid memswap value: 0: must be -1 (unlimited) or > 0'],
  [
    'cpushares',
    '-1',
    'failed to parse resource limits: invalid cpushares value: -1: strconv.ParseUint: parsing "-1": invalid syntax',
  ],
  ['cpusetcpus', 'a', 'failed to parse resource limits: invalid cpusetcpus value: a: invalid cpuset element "a"'],
  ['ulimit', 'nofile=5:1', 'failed to parse ulimit: ulimit soft limit must be less than or equal to hard limit: 5 > 1'],
  ['ulimit', 'foo=1', 'failed to parse ulimit: invalid ulimit type: foo'],
  ['ulimit', 'nofile=x', 'failed to parse ulimit: strconv.ParseInt: parsing "x": invalid syntax'],
  [
    'ulimit',
    'nofile=1:2:3',
    'failed to parse ulimit: too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`',
  ],
  [
    'build-arg:BUILDKIT_DOCKERFILE_CHECK',
    'foo=bar',
    'failed to parse build-arg:BUILDKIT_DOCKERFILE_CHECK: invalid check option "foo"',
  ],
])('the option %s=%s fails as with the real frontend', async (option, value, message) => {
  const error = await failure(new FakeClient({ Dockerfile: 'FROM scratch\n' }, { [option]: value }));
  expect(error).toMatchObject({ message, fault: 'user' });
});

test.each([
  ['# check=skip\nFROM scratch\n', 'failed to parse check options: invalid check option "skip"'],
  ['FROM scratch\nRUN []\n', 'failed to marshal LLB definition: arguments are required'],
  [
    'FROM scratch\nHEALTHCHECK --interval=5 CMD x\n',
    'dockerfile parse error on line 2: time: missing unit in duration "5"',
  ],
  [
    'FROM scratch\nHEALTHCHECK --interval=5x CMD x\n',
    'dockerfile parse error on line 2: time: unknown unit "x" in duration "5x"',
  ],
  ['FROM scratch\nHEALTHCHECK --interval=x CMD x\n', 'dockerfile parse error on line 2: time: invalid duration "x"'],
  [
    'FROM scratch\nHEALTHCHECK --retries=x CMD x\n',
    'dockerfile parse error on line 2: strconv.ParseInt: parsing "x": invalid syntax',
  ],
  ['FROM scratch\nADD --checksum=sha256:00 http://127.0.0.1/f /\n', 'invalid checksum digest length'],
  ['FROM scratch\nADD --checksum=md5:00 http://127.0.0.1/f /\n', 'unsupported digest algorithm'],
  ['FROM scratch\nADD --checksum=00 http://127.0.0.1/f /\n', 'invalid checksum digest format'],
  ['FROM scratch\nSTOPSIGNAL 0\n', 'invalid signal: 0'],
  ['FROM scratch\nRUN --device=foo,required true\n', 'failed to load LLB: required device "foo" is not registered'],
  ['FROM scratch\nRUN --device=name=a,name=b x\n', 'dockerfile parse error on line 2: device name already set to a'],
  ['FROM scratch\nRUN --device=a,required=x x\n', 'dockerfile parse error on line 2: invalid value for required: x'],
  [
    'FROM scratch\nRUN --device=a,nmae=x x\n',
    "dockerfile parse error on line 2: unexpected key 'nmae' in 'nmae=x' (did you mean name?)",
  ],
  [
    'FROM scratch\nRUN --device=a,foo x\n',
    "dockerfile parse error on line 2: invalid field 'foo' must be a key=value pair",
  ],
])('%j fails as with the real daemon', async (dockerfile, message) => {
  expect(await failure(new FakeClient({ Dockerfile: dockerfile }))).toMatchObject({ message, fault: 'user' });
});

test('a device that is not required may be missing', async () => {
  const client = new FakeClient({ Dockerfile: 'FROM scratch\nRUN --device=vendor.com/dev=x true\n' });
  await buildDockerfile(client, call);
  expect(bodies(client.definition)[0]).toMatchObject({ kind: 'exec', exec: { cdiDevices: [] } });
});

test.each([
  ['=y', 'invalid environment variable "=y": it has no name'],
  ['A=1\0b', 'invalid environment variable "A=1\\x00b": it holds a null character'],
])('a base image with the variable %j fails the step that would have it, as a fault of the user', async (entry, message) => {
  const config = new TextEncoder().encode(
    JSON.stringify({ os: 'linux', architecture: 'amd64', config: { Env: [entry] } }),
  );
  const image = { digest: digestOf(config), config };
  const copying = new FakeClient({ Dockerfile: 'FROM example.com/odd\nCOPY a /\n' });
  copying.images.set('example.com/odd:latest', image);
  await expect(buildDockerfile(copying, call)).resolves.toBeDefined();
  const running = new FakeClient({ Dockerfile: 'FROM example.com/odd\nRUN true\n' });
  running.images.set('example.com/odd:latest', image);
  const error = await failure(running);
  expect(error).toMatchObject({ message, fault: 'user', hint: expect.stringContaining('base image') });
  expect(error.details[0]?.value).toMatchObject({ ranges: [{ start: { line: 2 } }] });
});

test('without merges in the builder, --link is a plain copy', async () => {
  const client = new FakeClient({ Dockerfile: 'FROM localhost:5955/base:1\nCOPY --link --chown=5 a /deep/a\n' });
  await client.addTestImages();
  client.llbCaps = new Set([...client.llbCaps].filter((cap) => cap !== 'mergeop'));
  await buildDockerfile(client, call);
  const files = bodies(client.definition).flatMap((body) => (body.kind === 'file' ? [body.file.actions] : []));
  expect(files).toMatchObject([[{ input: 0, body: { copy: { dest: '/deep/a', owner: { user: { id: 5 } } } } }]]);
});

describe('an image of another system', () => {
  async function configOf(dockerfile: string, platform: string): Promise<Record<string, never>> {
    const client = new FakeClient({ Dockerfile: dockerfile }, { platform });
    const { metadata } = await buildDockerfile(client, call);
    return json(metadata.get('containerimage.config'));
  }

  test('Windows has its own shell, search path and notation of paths, as the real frontend writes them', async () => {
    const lines = ['# escape=`', 'FROM scratch', 'WORKDIR C:\\foo\\bar', 'COPY f d\\g .\\', 'WORKDIR rel', 'CMD foo'];
    const text = `${[...lines, 'ENTRYPOINT bar'].join('\n')}\n`;
    const { os, config, history, ...more } = await configOf(text, 'windows(10.0.17763+win32k)/amd64');
    expect({ os, ...more }).toMatchObject({ os: 'windows', 'os.version': '10.0.17763', 'os.features': ['win32k'] });
    expect(config).toEqual({
      Cmd: ['cmd', '/S', '/C', 'foo'],
      Entrypoint: ['cmd', '/S', '/C', 'bar'],
      WorkingDir: '\\foo\\bar\\rel',
      ArgsEscaped: true,
    });
    expect(history).toMatchObject([{ created_by: 'WORKDIR /foo/bar' }, {}, {}, {}, {}]);
  });

  test('copies name their files with slashes, without the drive', async () => {
    const text = ['# escape=`', 'FROM scratch', 'COPY ["d\\\\g", "c:\\\\w\\\\"]', 'COPY f ..\\z', ''].join('\n');
    const client = new FakeClient({ Dockerfile: text }, { platform: 'windows/amd64' });
    await buildDockerfile(client, call);
    const copies = bodies(client.definition).flatMap((body) => (body.kind === 'file' ? body.file.actions : []));
    expect(copies.map(({ body }) => body)).toMatchObject([
      { copy: { src: '/d/g', dest: '/w/' } },
      { copy: { src: '/f', dest: '/z' } },
    ]);
    expect(localAttrs(client.definition, 'context')?.['local.followpaths']).toBe('["d/g","f"]');
  });

  test.each([
    ['COPY f D:\\\\x', 'removing drive letter: The specified path is not on the system drive (C:)'],
    ['COPY f C:', 'removing drive letter: No relative path specified in "C:"'],
    [
      'WORKDIR \\\\\\\\host',
      'normalizing workdir: normalizing working directory: removing drive letter: UNC paths are not supported',
    ],
  ])('%s lies outside', async (line, message) => {
    const client = new FakeClient({ Dockerfile: `FROM scratch\n${line}\n` }, { platform: 'windows/amd64' });
    expect((await failure(client)).message).toBe(message);
  });

  test('other systems are as Linux', async () => {
    expect((await configOf('FROM scratch\nCMD x\n', 'freebsd/amd64'))['config']).toMatchObject({
      Cmd: ['/bin/sh', '-c', 'x'],
      Env: [expect.stringMatching(/^PATH=\//)],
      WorkingDir: '/',
    });
  });

  test.each([
    [
      'bogus',
      'failed to parse target platform bogus: "bogus": unknown operating system or architecture: invalid argument',
    ],
    ['linux/', 'failed to parse target platform linux/: "" is an invalid component of "linux/": '],
  ])('%s is no platform', async (platform, message) => {
    const error = await failure(new FakeClient({ Dockerfile: 'FROM scratch\n' }, { platform }));
    expect(error.message).toContain(message);
    expect(error.fault).toBe('user');
  });

  test.each([
    ['bogus', 'failed to parse platform bogus: "bogus": unknown operating system or architecture: invalid argument'],
    [`linux/$\{MYARCH}`, `failed to parse platform linux/$\{MYARCH}: "" is an invalid component of "linux/": `],
  ])('FROM --platform=%s fails at its line', async (platform, message) => {
    const error = await failure(new FakeClient({ Dockerfile: `FROM --platform=${platform} scratch\n` }));
    expect(error.message).toContain(message);
    expect(error.details[0]?.value).toMatchObject({ ranges: [{ start: { line: 1 } }] });
  });
});

describe('handing on', () => {
  test('another syntax goes to its frontend with all options', async () => {
    const client = new FakeClient({ Dockerfile: '# syntax=example.com/fe:1 extra\nwhatever\n' }, { target: 't' });
    client.onForward = async () => ({ metadata: new Map([['k', new Uint8Array([1])]]) });
    const result = await buildDockerfile(client, call);
    expect(result.metadata.has('k')).toBe(true);
    const [request] = client.forwarded;
    expect(request?.frontend).toBe('gateway.v0');
    expect(Object.fromEntries(request!.options)).toEqual({
      target: 't',
      source: 'example.com/fe:1',
      cmdline: 'example.com/fe:1 extra',
    });
  });

  test('a build that was handed on is not handed on again', async () => {
    const client = new FakeClient(
      { Dockerfile: '# syntax=example.com/fe:1\nFROM scratch\nCOPY a /\n' },
      { cmdline: 'x' },
    );
    await buildDockerfile(client, call);
    expect(client.forwarded).toEqual([]);
  });

  test('the build argument wins over the file; a built-in syntax is built here', async () => {
    const client = new FakeClient(
      { Dockerfile: '# syntax=example.com/fe:1\nFROM scratch\nCOPY a /\n' },
      { 'build-arg:BUILDKIT_SYNTAX': 'docker/dockerfile:1' },
    );
    client.onForward = async ({ options }) => {
      throw syntaxIsBuiltIn(options.get('source')!);
    };
    await expect(buildDockerfile(client, call)).resolves.toBeDefined();
    expect(client.forwarded[0]?.options.get('source')).toBe('docker/dockerfile:1');
  });

  test('what a caller needs and this frontend lacks is refused', async () => {
    const error = await failure(
      new FakeClient({ Dockerfile: 'FROM scratch\n' }, { 'frontend.caps': 'moby.buildkit.frontend.new' }),
    );
    expect(error).toMatchObject({ code: 'unimplemented', details: [{ type: 'errdefs.FrontendCap' }] });
  });
});

describe('questions about the Dockerfile', () => {
  const text = `ARG VERSION=1
# base holds the tools
FROM scratch AS base
ARG VERSION
# LEVEL is how much
ARG LEVEL=\${VERSION}2
RUN --mount=type=secret,id=token,required --mount=type=ssh x
FROM base
COPY a /a
`;

  async function ask(requestid: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return (await buildDockerfile(new FakeClient({ Dockerfile: text }, { requestid }), call)).metadata;
  }

  test('its targets', async () => {
    const { targets } = json((await ask('frontend.targets')).get('result.json')) as unknown as { targets: unknown[] };
    expect(targets).toMatchObject([
      { name: 'base', description: 'holds the tools', base: 'scratch' },
      { default: true, base: 'base' },
    ]);
  });

  test('its arguments and secrets', async () => {
    expect(json((await ask('frontend.outline')).get('result.json'))).toMatchObject({
      args: [
        { name: 'VERSION', value: '1' },
        { name: 'LEVEL', value: '12', description: 'is how much' },
      ],
      secrets: [{ name: 'token', required: true }],
      ssh: [{ name: 'default' }],
    });
  });

  test('arguments that others are made of, as the real frontend lists them', async () => {
    const dockerfile = `ARG A=1
# B is b
ARG B=\${A}2
ARG B=\${B}x
ARG C=\${B}3
ARG UNUSED=$A
FROM scratch AS base
ARG C
FROM base
ARG D=$C
COPY f /
`;
    const list = async (options: Record<string, string>) => {
      const client = new FakeClient({ Dockerfile: dockerfile }, { requestid: 'frontend.outline', ...options });
      const { args } = json((await buildDockerfile(client, call)).metadata.get('result.json')) as unknown as {
        args: { name: string; value?: string }[];
      };
      return args.map(({ name, value }) => `${name}=${value ?? ''}`);
    };
    expect(await list({})).toEqual(['A=1', 'B=12x', 'C=12x3', 'D=12x3']);
    expect(await list({ 'build-arg:C': 'given' })).toEqual(['C=given', 'D=given']);
  });

  test('tables have the columns that the real frontend prints', async () => {
    const text = async (id: string) => new TextDecoder().decode((await ask(id)).get('result.txt'));
    expect(await text('frontend.targets')).toBe('TARGET    DESCRIPTION\nbase      holds the tools\n(default) \n');
    expect(await text('frontend.outline')).toMatch(
      /^BUILD ARG {3}VALUE {3}DESCRIPTION\nVERSION {5}1 {7}\nLEVEL {7}12 {6}is how much\n\n/,
    );
    expect(await text('frontend.subrequests.describe')).toMatch(/^NAME +VERSION DESCRIPTION\noutline +1\.0\.0 {3}/);
  });

  test('findings are printed as the real frontend prints them; where they fail a build they fail its outline', async () => {
    const dockerfile = '# check=error=true\nFROM scratch\nMAINTAINER q\n';
    const lint = new FakeClient({ Dockerfile: dockerfile }, { requestid: 'frontend.lint' });
    const { metadata } = await buildDockerfile(lint, call);
    const text = new TextDecoder().decode(metadata.get('result.txt'));
    expect(text.replace(/ - https:\S+/, '')).toBe(`
WARNING: MaintainerDeprecated
Maintainer instruction is deprecated in favor of using label
Dockerfile:3
--------------------
   1 |     # check=error=true
   2 |     FROM scratch
   3 | >>> MAINTAINER q
   4 |     \n--------------------
`);
    const outline = new FakeClient({ Dockerfile: dockerfile }, { requestid: 'frontend.outline' });
    expect((await failure(outline)).message).toBe('lint violation found for rules: MaintainerDeprecated');
  });

  test('targets of a file with a check comment inside, which crashes buildkitd v0.34.2', async () => {
    const dockerfile = 'FROM scratch\n# check=skip=all\nMAINTAINER a\n';
    const client = new FakeClient({ Dockerfile: dockerfile }, { requestid: 'frontend.targets' });
    const { targets } = json((await buildDockerfile(client, call)).metadata.get('result.json')) as unknown as {
      targets: unknown[];
    };
    expect(targets).toMatchObject([{ default: true, base: 'scratch' }]);
  });

  test('a question it does not know is refused', async () => {
    const error = await failure(new FakeClient({ Dockerfile: text }, { requestid: 'frontend.new' }));
    expect(error).toMatchObject({
      code: 'unimplemented',
      details: [{ type: 'errdefs.Subrequest', value: { name: 'frontend.new' } }],
    });
  });
});

test('a graph given as input keeps its bytes', async () => {
  const given = new FakeClient({ Dockerfile: 'FROM scratch\nCOPY given /g\n' });
  await buildDockerfile(given, call);
  const client = new FakeClient(
    { Dockerfile: 'FROM scratch\nCOPY --from=in /g /h\n' },
    { 'context:in': 'input:graph' },
  );
  client.definitions.set('graph', given.definition);
  await buildDockerfile(client, call);
  const ours = client.definition.ops.map((bytes) => digestOf(bytes));
  for (const bytes of given.definition.ops.slice(0, -1)) expect(ours).toContain(digestOf(bytes));
});

test('steps of a graph given as input keep their place in its own file', async () => {
  const given = new FakeClient(
    { 'Given.Dockerfile': 'FROM scratch\n\nCOPY given /g\n' },
    { filename: 'Given.Dockerfile' },
  );
  await buildDockerfile(given, call);
  const client = new FakeClient(
    { Dockerfile: 'FROM scratch\nCOPY --from=in /g /h\n' },
    { 'context:in': 'input:graph' },
  );
  client.definitions.set('graph', given.definition);
  await buildDockerfile(client, call);
  const { source } = client.definition;
  const places = [...source!.locations.values()].flat().map(({ sourceIndex, ranges }) => {
    return `${source!.infos[sourceIndex]!.filename}:${ranges[0]!.start.line}`;
  });
  expect(places.sort()).toEqual(['Dockerfile:2', 'Given.Dockerfile:3']);
});
