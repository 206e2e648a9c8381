// biome-ignore-all lint/suspicious/noTemplateCurlyInString: arguments of Builds are written so.
import * as fc from 'fast-check';
import { dump } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { type CodedError, digestOf } from '../../base/index.ts';
import { decodeDefinition, decodeOp, loadDefinition, type Op } from '../../llb/index.ts';
import { checkBuild, type LlbGraph, parseBuild } from '../../resources/index.ts';
import { type ClusterValues, planBuild, type SolvePlan } from '../index.ts';

const build = (spec: string) =>
  parseBuild(`apiVersion: slipway.build/v1alpha1\nkind: Build\nmetadata: { name: x }\nspec: ${spec}\n`, 'build.yaml');
const plan = (spec: string, values?: ClusterValues): SolvePlan =>
  planBuild(build(spec), { defaultRegistry: 'r.example.com', ...(values === undefined ? {} : { values }) });
const graph = (text: string, more = '') => plan(`{ llb: { graph: ${text} }${more} }`);
const definitionOf = ({ frontendInputs }: SolvePlan, id = 'graph') => frontendInputs[id] as Uint8Array;
const ops = (planned: SolvePlan, id?: string): Op[] =>
  decodeDefinition(definitionOf(planned, id))
    .ops.map(decodeOp)
    .filter(({ body }) => body.kind !== 'pointer');
const execs = (planned: SolvePlan, id?: string) =>
  ops(planned, id).flatMap(({ body, platform }) => (body.kind === 'exec' ? [{ ...body.exec, platform }] : []));
const names = (planned: SolvePlan) => loadDefinition(definitionOf(planned))?.vertices.map(({ name }) => name);
const message = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    return (error as CodedError).message;
  }
  return 'no error';
};

const COMPILE = `{
  steps: {
    base: { image: debian:bookworm, env: { CC: gcc }, cwd: /src },
    src: { context: {} },
    compile: {
      from: base, run: "cc -o /out/app main.c",
      mounts: [
        { target: /src, from: src, readonly: true }, { target: /out, from: scratch },
        { target: /root/.cache, cache: { sharing: locked } }, { target: /tmp, tmpfs: { size: 64Mi } },
        { secret: { id: token } }, { secret: { id: token, env: TOKEN } }, { ssh: {} },
      ],
    },
    conf: { files: { etc/app.conf: "a=1" } },
    app: { actions: [{ mkdir: { path: /usr/bin } }, { copy: { from: "compile:/out", path: app, to: /usr/bin/, mode: "0755", owner: "1:1" } }, { symlink: { path: /app, target: usr/bin/app } }] },
    all: { merge: [app, conf] },
  },
  result: all }, image: { entrypoint: [/app], env: { A: "\${V}" }, user: "1000", ports: ["80", "53/udp"], labels: { v: "\${V}" }, healthcheck: { test: [CMD, /app], interval: 30s, retries: 3 } }`;
const AROUND =
  ', source: { inline: { files: { main.c: "int main;" } } }, args: [{ name: V, value: "1" }], secrets: [{ id: token, secretRef: { name: s } }], ssh: [{ id: default, secretRef: { name: k } }]';

describe('a graph in a spec', () => {
  test('becomes the vertices that it names, each told by its step', () => {
    const planned = graph(COMPILE, AROUND);
    expect(planned.frontend).toBe('llb.v0');
    expect(names(planned)).toEqual([
      '[base] image debian:bookworm',
      '[internal] write spec.source.inline.files',
      '[compile] cc -o /out/app main.c',
      '[app] mkdir /usr/bin, copy compile:/out app /usr/bin/, link /app -> usr/bin/app',
      '[conf] write files',
      '[all] merge app, conf',
    ]);
    const [exec] = execs(planned);
    expect(exec?.meta).toMatchObject({ args: ['/bin/sh', '-c', 'cc -o /out/app main.c'], cwd: '/src' });
    expect(exec?.meta.env).toEqual(['CC=gcc', 'SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0']);
    expect(exec?.secretEnv).toEqual([{ id: 'token', name: 'TOKEN', optional: false }]);
    expect(exec?.mounts.map(({ dest, type }) => `${type} ${dest}`)).toEqual([
      ...['bind /', 'bind /out', 'cache /root/.cache', 'bind /src', 'tmpfs /tmp'],
      ...['secret /run/secrets/token', 'ssh /run/buildkit/ssh_agent.0'],
    ]);
  });

  test('says what it is made of before anything is built', () => {
    expect(graph(COMPILE, AROUND).llb).toEqual({
      vertices: 6,
      ops: { exec: 1, file: 3, merge: 1, source: 1 },
      sources: ['docker-image://docker.io/library/debian:bookworm'],
    });
    const host = `{ steps: { a: { image: x }, b: { from: a, run: y, network: host } }, result: b }`;
    expect(graph(host, ', platforms: [linux/arm64], entitlements: [network.host]').llb).toMatchObject({
      platforms: ['linux/arm64'],
      entitlements: ['network.host'],
    });
  });

  test('gives the image its settings', () => {
    const { frontendAttrs } = graph(COMPILE, AROUND);
    expect(JSON.parse(frontendAttrs['containerimage.config/graph'] ?? '')).toMatchObject({
      rootfs: { diff_ids: null },
    });
    expect(JSON.parse(frontendAttrs['containerimage.config/graph'] ?? '').config).toEqual({
      User: '1000',
      ExposedPorts: { '53/udp': {}, '80/tcp': {} },
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'A=1'],
      Entrypoint: ['/app'],
      WorkingDir: '/',
      Labels: { v: '1' },
      Healthcheck: { Test: ['CMD', '/app'], Interval: 30_000_000_000, Retries: 3 },
    });
  });

  test('is made for each platform', () => {
    const text = `{ steps: { a: { image: "x/\${TARGETARCH}" }, b: { from: a, run: "y", env: { GOARCH: "\${TARGETARCH}" } } }, result: b }, image: { cmd: [b] }`;
    const planned = graph(text, ', platforms: [linux/amd64, linux/arm/v7]');
    expect(planned.frontend).toBe('llb.v0');
    expect(planned.frontendAttrs['platform']).toBe('linux/amd64,linux/arm/v7');
    expect(JSON.parse(planned.frontendAttrs['containerimage.config/linux/arm/v7'] ?? '')).toMatchObject({
      architecture: 'arm',
      variant: 'v7',
      config: { Cmd: ['b'] },
    });
    const [exec] = execs(planned, 'linux/arm/v7');
    expect(exec).toMatchObject({ platform: { architecture: 'arm', variant: 'v7' }, meta: { env: ['GOARCH=arm'] } });
    expect(planned.llb).toMatchObject({ vertices: 4, platforms: ['linux/amd64', 'linux/arm/v7'] });
    // Where none is asked for, the builder's own counts: it is not known here.
    expect(execs(graph('{ steps: { a: { image: x }, b: { from: a, run: y } }, result: b }'))[0]?.platform).toBe(
      undefined,
    );
  });

  test('takes contexts of all kinds', () => {
    const contexts = `contexts: [
      { name: repo, git: { url: "https://git.example.com/a.git", ref: v1, subPath: s, secretRef: { name: g } } },
      { name: up, upload: {} }, { name: img, oci: { image: "r.example.com/i:1" } }, { name: tar, http: { url: "https://example.com/a.tgz" } }, { name: conf, configMap: { name: c } } ]`;
    const steps = `{ a: { context: { name: repo } }, b: { context: { name: up, exclude: [tmp] } }, c: { context: { name: img } }, d: { context: { name: tar } }, e: { context: { name: conf } }, all: { merge: [a, b, c, d, e] } }`;
    const planned = plan(`{ llb: { graph: { steps: ${steps}, result: all } }, ${contexts} }`, {
      configMaps: new Map([['c', new Map([['k', Buffer.from('v')]])]]),
      knownHosts: new Map(),
      fluxArtifacts: new Map(),
      caBundle: undefined,
    });
    const identifiers = ops(planned).flatMap(({ body }) => (body.kind === 'source' ? [body.source.identifier] : []));
    expect(identifiers.sort()).toEqual([
      'docker-image://r.example.com/i:1',
      'git://git.example.com/a.git#v1:s',
      'https://example.com/a.tgz',
      'local://up',
    ]);
    expect(planned.uploads).toEqual(['up']);
    expect(planned.gitAuth.map(({ host }) => host)).toEqual(['git.example.com']);
  });

  test('a setting holds for the steps from it, what is for one command does not', () => {
    const [first, second] = execs(
      graph(
        '{ steps: { base: { image: x, user: u, cwd: /w, env: { A: "1" } }, one: { from: base, exec: [a], cwd: sub, network: none, hosts: { h: "10.0.0.1" } }, two: { from: one, exec: [b], env: { B: "$$2" } } }, result: two }',
      ),
    );
    expect(first).toMatchObject({ network: 'none', meta: { cwd: '/w/sub', user: 'u', extraHosts: [{ host: 'h' }] } });
    expect(second).toMatchObject({ network: 'unset', meta: { cwd: '/w/sub', user: 'u', extraHosts: [] } });
    expect(second?.meta.env).toEqual(['A=1', 'B=$2']);
  });
});

test.each([
  [
    '{ steps: { a: { from: b, run: x }, b: { from: a, run: x } }, result: a }',
    'steps.b.from: the steps go in a circle: a needs b needs a',
  ],
  ['{ steps: { a: { from: nope, run: x } }, result: a }', 'steps.a.from: there is no step "nope"; there are a'],
  ['{ steps: { a: { image: x } }, result: b }', 'graph.result: there is no step "b"'],
  ['{ steps: { a: { image: x } }, result: scratch }', 'graph.result: the result is scratch'],
  ['{ steps: { a: { run: x } }, result: a }', 'steps.a.from: a command needs files'],
  ['{ steps: { a: { image: x }, b: { merge: [a, "a:/x"] } }, result: b }', 'steps.b.merge[1]: a runs nothing'],
  [
    '{ steps: { a: { image: x }, c: { from: a, run: y }, b: { merge: ["c:/x"] } }, result: b }',
    'steps.b.merge[0]: c: invalid mount: /x',
  ],
  ['{ steps: { a: { image: x, mounts: [] } }, result: a }', 'steps.a.mounts: is not for image'],
  ['{ steps: { a: { image: x, from: a } }, result: a }', 'the steps go in a circle'],
  ['{ steps: { a: { image: "B A D" } }, result: a }', 'steps.a.image: '],
  ['{ steps: { a: { image: "x:${NO}" } }, result: a }', 'steps.a.image: ${NO}: there is no such argument'],
  ['{ steps: { a: { image: "x:$NO" } }, result: a }', 'steps.a.image: "$" is neither ${NAME}'],
  ['{ steps: { a: { context: {} } }, result: a }', 'steps.a.context: the Build has no spec.source'],
  ['{ steps: { a: { context: { name: c } } }, result: a }', 'steps.a.context.name: spec.contexts has no "c"'],
  ['{ steps: { a: { http: { url: "ftp://x" } } }, result: a }', 'steps.a.http.url: '],
  ['{ steps: { a: { http: { url: "http://x/y", filename: ../z } } }, result: a }', 'steps.a.http.filename: '],
  ['{ steps: { a: { git: { url: "https://u:p@x/y" } } }, result: a }', 'steps.a.git.url: must have no password'],
  ['{ steps: { a: { files: { ../x: y } } }, result: a }', 'steps.a.files: "../x" must not have ".."'],
  [
    '{ steps: { a: { image: x }, b: { from: a, actions: [{ rm: { path: /a/../.. } }] } }, result: b }',
    'steps.b.actions[0].rm.path: ',
  ],
  [
    '{ steps: { a: { image: x }, b: { from: a, actions: [{ copy: { from: scratch, to: / } }] } }, result: b }',
    'steps.b.actions[0].copy.from: there is nothing in scratch',
  ],
  [
    '{ steps: { a: { image: x }, b: { from: a, run: y, network: host } }, result: b }',
    'steps.b.network: needs the entitlement network.host',
  ],
  [
    '{ steps: { a: { image: x }, b: { from: a, run: y, insecure: true } }, result: b }',
    'steps.b.insecure: needs the entitlement',
  ],
  [
    '{ steps: { a: { image: x }, b: { from: a, run: y, mounts: [{ secret: { id: s } }] } }, result: b }',
    'steps.b.mounts[0].secret.id: spec.secrets has no "s"',
  ],
  [
    '{ steps: { a: { image: x }, b: { from: a, run: y, mounts: [{ target: /c, cache: {} }, { target: /c, cache: {} }] } }, result: b }',
    'steps.b.mounts[1].target: /c is mounted already',
  ],
  [
    '{ steps: { a: { image: x }, b: { from: a, run: y, mounts: [{ target: /c, cache: {}, readonly: true }] } }, result: b }',
    'steps.b.mounts[0].readonly: ',
  ],
  ['{ steps: { a: { image: x, platform: a/b/c/d } }, result: a }', 'steps.a.platform: '],
  ['{ steps: { a: { image: x } }, result: a }, image: { ports: ["99999"] }', 'image.ports[0]: '],
  [
    '{ steps: { a: { image: x } }, result: a }, image: { healthcheck: { test: [NONE], interval: soon } }',
    'image.healthcheck.interval: ',
  ],
  // Shapes.
  ['{ steps: { a: { image: x, run: y } }, result: a }', 'graph.steps.a: exactly one of image, git,'],
  ['{ steps: { a: { image: [x] } }, result: a }', 'graph.steps.a.image: '],
  [
    '{ steps: { a: { image: x, mounts: [{ target: /c, tmpfs: {}, cache: {} }] } }, result: a }',
    'graph.steps.a.mounts[0]: must be one of',
  ],
  [
    '{ steps: { a: { image: x, mounts: [{ target: /c, cache: { sharing: mine } }] } }, result: a }',
    'graph.steps.a.mounts[0].cache.sharing: ',
  ],
  ['{ steps: { a: { image: x, fish: 1 } }, result: a }', 'graph.steps.a: '],
  ['{ steps: { "a b": { image: x } }, result: a }', 'graph.steps.a b: the name of a step'],
  ['{ steps: { scratch: { image: x } }, result: scratch }', 'graph.steps.scratch: scratch is the name'],
  ['{ result: a }', 'graph.steps: '],
])('what is wrong is told by step and field: %s', (text, told) => {
  expect(message(() => graph(text))).toContain(`spec.llb.${told.startsWith('steps') ? 'graph.' : ''}`);
  expect(message(() => graph(text))).toContain(told);
});

test('a graph that is too large is refused by its size', () => {
  const steps = Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`s${at}`, { image: 'x' }]));
  const made = () => graph(dump({ steps, result: 's0' }, { flowLevel: 0 }));
  expect(message(made)).toContain('spec.llb.graph.steps: at most 256 steps');
});

test('a graph in a registry is read by the builder, for each platform its own', () => {
  const planned = plan(
    '{ llb: { ref: "r.example.com/graphs/app:v1", image: { cmd: [a] } }, platforms: [linux/arm64] }',
  );
  expect(planned).toMatchObject({ frontend: 'llb.v0', llb: undefined });
  expect(planned.frontendAttrs).toMatchObject({ file: 'definition.llb', platform: 'linux/arm64' });
  expect(planned.frontendAttrs['containerimage.config/linux/arm64']).toContain('"Cmd":["a"]');
  expect(ops(planned, 'linux/arm64')).toMatchObject([
    {
      platform: { architecture: 'arm64' },
      body: {
        source: { identifier: 'docker-image://r.example.com/graphs/app:v1', attrs: { 'image.artifact': 'true' } },
      },
    },
  ]);
  expect(message(() => plan('{ llb: { ref: "B A D" } }'))).toContain('spec.llb.ref: must be the name of an image');
});

describe('a definition', () => {
  const definition = (planned: SolvePlan) => Buffer.from(definitionOf(planned)).toString('base64');
  test('is checked and told of as a graph is', () => {
    const made = graph(COMPILE, AROUND);
    expect(plan(`{ llb: { definition: "${definition(made)}" } }`).llb).toEqual(made.llb);
  });

  test('that is none, or asks for more than the Build may, is refused by its field', () => {
    expect(message(() => plan('{ llb: { definition: "AAAA" } }'))).toContain('spec.llb.definition: ');
    expect(message(() => plan('{ llb: { definition: "***" } }'))).toContain('spec.llb.definition: not base64');
    const host = '{ steps: { a: { image: x }, b: { from: a, run: y, network: host } }, result: b }';
    const made = definition(graph(host, ', entitlements: [network.host]'));
    expect(message(() => plan(`{ llb: { definition: "${made}" } }`))).toMatch(
      /spec\.llb\.definition: vertex sha256:[0-9a-f]{64} \(\[b\] y\) needs the entitlement network\.host/,
    );
    expect(message(() => plan(`{ llb: { definition: "${made}" }, platforms: [linux/amd64, linux/arm64] }`))).toContain(
      'spec.platforms: a definition is of one platform',
    );
  });
});

describe('any graph', () => {
  const file = fc.constantFrom('/a', '/a/b', 'c');
  const steps = fc
    .array(fc.record({ kind: fc.nat(5), one: fc.nat(), other: fc.nat(), path: file, text: fc.string() }), {
      minLength: 1,
      maxLength: 12,
    })
    .map((all): LlbGraph['steps'] => {
      const made: LlbGraph['steps'] = { base: { image: 'x' } };
      for (const [at, { kind, one, other, path, text }] of all.entries()) {
        const known = Object.keys(made);
        const from = known[one % known.length] as string;
        const copied = known[other % known.length] as string;
        made[`s${at}`] = [
          { from, exec: ['x', text.replaceAll('$', '$$$$')], mounts: [{ target: '/m', from: copied, readonly: true }] },
          { from, actions: [{ copy: { from: copied, path, to: path } }, { mkdir: { path } }] },
          { merge: [from, copied] },
          { diff: { lower: from, upper: copied } },
          { from, files: { [path]: text } },
          { image: `y:${at}` },
        ][kind] as LlbGraph['steps'][string];
      }
      return made;
    });
  const compiled = (all: LlbGraph['steps'], platforms: readonly string[] = []) => {
    const document = { llb: { graph: { steps: all, result: Object.keys(all).at(-1) } }, platforms };
    const whole = { apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name: 'x' }, spec: document };
    return planBuild(checkBuild(whole, 'b'), { defaultRegistry: undefined });
  };

  test('is one that builders take, and has one digest whatever the order in which it is written', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const definition = definitionOf(compiled(all));
        expect(loadDefinition(definition)).toBeDefined();
        const last = Object.keys(all).at(-1) as string;
        const turned = Object.fromEntries(Object.entries(all).toReversed());
        const { [last]: result, ...rest } = turned;
        const again = compiled({ ...rest, [last]: result as LlbGraph['steps'][string] });
        expect(digestOf(definitionOf(again))).toBe(digestOf(definition));
      }),
      { numRuns: 60 },
    );
  });

  test('of any shape is taken or refused by a field', () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.constantFrom('base', 'scratch', 's0', 's0:/m', '${X}', '../x', '/'),
      fc.boolean(),
    );
    const key = fc.constantFrom(
      ...[
        'image',
        'git',
        'http',
        'context',
        'files',
        'run',
        'exec',
        'actions',
        'merge',
        'diff',
        'from',
        'mounts',
        'env',
      ],
      ...[
        'url',
        'name',
        'copy',
        'to',
        'path',
        'target',
        'cache',
        'secret',
        'id',
        'lower',
        'upper',
        'mkdir',
        'rm',
        'cwd',
      ],
    );
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(key, tie('node'), { maxKeys: 3 }),
      ),
    })).node;
    const any = fc.dictionary(
      fc.constantFrom('s0', 's1', 'base'),
      fc.oneof(fc.dictionary(key, value, { maxKeys: 3 }), value),
    );
    fc.assert(
      fc.property(any, (all) => {
        try {
          compiled({ base: { image: 'x' }, ...all } as LlbGraph['steps']);
        } catch (error) {
          expect((error as CodedError).code, String((error as Error).stack)).toBe('invalid_argument');
          expect((error as CodedError).message).toContain('spec.llb.graph');
        }
      }),
      { numRuns: 300 },
    );
  });
});
