import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REAL, TestDaemon } from '../src/builder-pod/daemon/testing/test-daemon.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { type Cluster, startCluster } from './support/cluster.ts';
import { type Container, type Unpacked, unpackImage } from './support/container.ts';
import { debianTar } from './support/debian-base.ts';
import { npmTars } from './support/npm-tars.ts';
import { buildctl, buildx, root, slipway } from './support/paths.ts';
import { freePort } from './support/ports.ts';
import { must, run } from './support/run.ts';
import { pushTar } from './support/tar-image.ts';
import { tempFolder } from './support/temp-folder.ts';

// The images of this checkout, built by its own builder, and run as a node runs them. What they are made from is of this machine: nothing is fetched.

const PACKAGES = [
  ...['ca-certificates', 'libatomic1', 'libstdc++6', 'runc', 'git', 'openssh-client', 'xz-utils', 'bzip2'],
  ...['libisal2', 'golang-github-containers-common'],
];
const work = tempFolder('images');
const at = (name: string) => path.join(work.path, name);
const cleanup = new AsyncDisposableStack();
let registry: RegistryServer;
let builder: TestBuilder;
let cluster: Cluster;
let context: string;
const inputs: Record<'base' | 'modules' | 'runtime', string> = { base: '', modules: '', runtime: '' };

/** Builds `images/<name>.yaml` as it stands, but from what this machine has. @returns the digest */
async function build(name: string, repository: string, flags: readonly string[] = []): Promise<string> {
  const manifest = at(`${repository}.yaml`);
  const given = readFileSync(path.join(root, `images/${name}.yaml`), 'utf8');
  const more = `  args: [{ name: BASE, value: "${inputs.base}" }]
  contexts:
    - { name: modules, oci: { image: "${inputs.modules}" } }
    - { name: runtime, oci: { image: "${inputs.runtime}" } }
`;
  writeFileSync(manifest, given.replace(`image: slipway-${name}\n`, `image: ${repository}\n`) + more);
  const metadata = at(`${repository}.json`);
  await must(slipway, [
    ...['build', '-f', manifest, '--context', root, '--builder', builder.address, '--progress', 'plain'],
    ...flags,
    ...['--default-registry', new URL(registry.url).host, '--metadata-file', metadata],
  ]);
  return (JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>)['containerimage.digest'] ?? '';
}

const reference = (repository: string) => `docker://${new URL(registry.url).host}/${repository}`;

async function pulled(repository: string): Promise<Unpacked> {
  await must('skopeo', ['copy', '-q', '--src-tls-verify=false', reference(repository), `oci:${at(repository)}:it`]);
  return await unpackImage(`${at(repository)}:it`, work.path);
}

beforeAll(async () => {
  const starting = startCluster(work.path).then((one) => cleanup.use(one));
  const tar = (name: string) => at(`${name}.tar`);
  await debianTar(tar('base'), PACKAGES);
  await npmTars({ modules: tar('modules'), runtime: tar('runtime') });
  registry = cleanup.use(await RegistryServer.start({ root: at('registry'), durable: false }));
  for (const name of ['base', 'modules', 'runtime'] as const)
    inputs[name] = await pushTar(registry.url, name, tar(name));
  builder = cleanup.use(await startBuilder(at('.')));
  cluster = await starting;
  context = at('context');
  mkdirSync(context);
  copyFileSync('/bin/busybox', path.join(context, 'busybox'));
  const steps = ['COPY busybox /bin/busybox', 'RUN ["/bin/busybox", "cp", "/bin/busybox", "/made"]'];
  writeFileSync(path.join(context, 'Dockerfile'), `FROM scratch\n${steps.join('\n')}\n`);
});
afterAll(async () => {
  await cleanup.disposeAsync();
  work[Symbol.dispose]();
});

test('the Dockerfile has nothing that BuildKit’s own frontend warns of', async () => {
  const theirs = await new TestDaemon(work.path, 'theirs', REAL).ready();
  try {
    const env = { BUILDX_CONFIG: at('check') };
    await must(buildx, ['create', '--name', 'theirs', '--driver', 'remote', theirs.address], { env });
    for (const target of ['operator', 'builder']) {
      const checked = await must(
        buildx,
        [
          ...['build', '--builder', 'theirs', '--check', '--file', path.join(root, 'images/Dockerfile')],
          ...['--target', target, '--build-arg', `BASE=${inputs.base}`],
          ...['--build-context', `modules=docker-image://${inputs.modules}`],
          ...['--build-context', `runtime=docker-image://${inputs.runtime}`, root],
        ],
        { env },
      );
      expect(checked.output).toContain('Check complete, no warnings found.');
    }
  } finally {
    await theirs.stop();
  }
});

test('Docker’s bake file makes both, for both architectures', async () => {
  const env = { BUILDX_CONFIG: at('bake'), TAG: '1.2.3' };
  const file = path.join(root, 'images/docker-bake.hcl');
  const { target } = JSON.parse((await must(buildx, ['bake', '-f', file, '--print'], { env })).stdout) as {
    target: Record<string, { target: string; platforms: string[]; output: { name: string }[] }>;
  };
  expect(Object.keys(target).sort()).toEqual(['slipway-builder', 'slipway-operator']);
  for (const [name, one] of Object.entries(target)) {
    expect(name).toBe(`slipway-${one.target}`);
    expect(one.platforms).toEqual(['linux/amd64', 'linux/arm64']);
    expect(one.output[0]?.name).toBe(`registry.example.com/${name}:1.2.3`);
  }
});

describe('the operator', () => {
  let image: Unpacked;
  beforeAll(async () => {
    await build('operator', 'slipway-operator');
    image = await pulled('slipway-operator');
  });

  test('is nobody in particular, with nothing to write to', async () => {
    expect(image.user).toEqual({ uid: 65532, gid: 65532 });
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
    expect(await image.run({ args: ['--version'] })).toMatchObject({ code: 0, output: `slipway ${version}\n` });
    const help = await image.run({ args: ['--help'] });
    expect(help.output).toMatch(/^slipway operator: /);
    expect(help.code).toBe(0);
    const tries = 'touch /tmp/x /opt/slipway/x /x; test ! -w /tmp && test ! -w /';
    expect(await image.run({ command: ['sh', '-c', tries] })).toMatchObject({ code: 0 });
  });

  test('serves a cluster', async () => {
    await cluster.must(['apply', '--server-side', '-f', path.join(root, 'crds')]);
    await cluster.must(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
    const kubeconfig = at('kubeconfig');
    copyFileSync(cluster.kubeconfig, kubeconfig);
    chmodSync(kubeconfig, 0o644);
    const port = await freePort();
    await using container = image.start({
      command: ['slipway', 'operator'],
      args: ['--kubeconfig', '/kube/config', '--lease-namespace', 'default', '--metrics-addr', `127.0.0.1:${port}`],
      volumes: { '/kube/config': kubeconfig },
    });
    await container.service.ready(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok);
    await cluster.apply(`apiVersion: slipway.build/v1alpha1
kind: Build
metadata: { name: seen }
spec: { dockerfile: { inline: "FROM scratch" }, outputs: [{ image: registry.example.com/seen }] }
`);
    await cluster.must(['wait', 'builds/seen', '--for=jsonpath={.status.observedGeneration}=1', '--timeout=120s']);
  });
});

describe('the builder', () => {
  let digest: string;
  let image: Unpacked;
  beforeAll(async () => {
    digest = await build('builder', 'slipway-builder');
    image = await pulled('slipway-builder');
  });

  /** Starts it as a privileged container with its state on a volume, and waits for what a pod's probe says. */
  async function start(
    name: string,
    options: { args: readonly string[]; volumes?: Readonly<Record<string, string>>; probe?: readonly string[] },
  ): Promise<Container> {
    const state = at(`state-${name}`);
    mkdirSync(state);
    const volumes = { '/var/lib/buildkit': state, ...options.volumes };
    const container = image.start({ args: options.args, privileged: true, volumes });
    const probe = options.probe ?? ['buildctl', 'debug', 'workers'];
    await container.service.ready(async () => (await container.exec(probe)).code === 0);
    return container;
  }

  /** The options by which a client builds {@link context}, whose one step makes a file. */
  const steps = (out: string) => ['--output', `type=local,dest=${at(out)}`];
  const expectMade = (out: string) =>
    expect(readFileSync(at(`${out}/made`)).equals(readFileSync('/bin/busybox'))).toBe(true);

  test('has the same bytes when all of it is built again', async () => {
    const again = await build('builder', 'slipway-builder-again', ['--no-cache']);
    const manifest = async (repository: string) =>
      JSON.parse((await must('skopeo', ['inspect', '--raw', '--tls-verify=false', reference(repository)])).stdout);
    expect(await manifest('slipway-builder-again')).toEqual(await manifest('slipway-builder'));
    expect(again).toBe(digest);
  });

  test('builds as a container, by the real clients over TCP', async () => {
    const address = `tcp://127.0.0.1:${await freePort()}`;
    await using container = await start('tcp', {
      args: ['--addr', address, '--addr', 'unix:///run/buildkit/buildkitd.sock'],
    });
    await must(buildctl, [
      ...['--addr', address, 'build', '--frontend', 'dockerfile.v0', ...steps('by-buildctl')],
      ...['--local', `context=${context}`, '--local', `dockerfile=${context}`],
    ]);
    expectMade('by-buildctl');
    const env = { BUILDX_CONFIG: at('remote') };
    await must(buildx, ['create', '--name', 'remote', '--driver', 'remote', address], { env });
    await must(buildx, ['build', '--builder', 'remote', '--no-cache', ...steps('by-buildx'), context], { env });
    expectMade('by-buildx');
    const { stdout } = await container.exec(['sh', '-c', 'cat /proc/[0-9]*/stat 2>/dev/null']);
    expect(stdout, 'nothing that ended is left').not.toMatch(/\) Z /);
    expect(await container.service.stop()).toBe(0);
  });

  test('has the programs that sources call', async () => {
    const programs = ['git', 'ssh', 'xz', 'bzip2', 'prlimit', 'setpriv', 'unshare', 'find', 'sort', 'runc'];
    const command = [
      'sh',
      '-c',
      'for p; do command -v $p >/dev/null || echo $p; done; git --version',
      'sh',
      ...programs,
    ];
    expect((await image.run({ command })).output).toMatch(/^git version .*\n$/);
    const library = 'import("koffi").then(({ default: koffi }) => koffi.load("libisal.so.2"))';
    const node = 'cd /opt/slipway && exec node_modules/node-linux-*/bin/node -e';
    expect(await image.run({ command: ['sh', '-c', `${node} '${library}'`] })).toMatchObject({ code: 0, output: '' });
  });

  test('is what the Kubernetes driver of buildx makes of it', async () => {
    const env = { BUILDX_CONFIG: at('kubernetes'), KUBECONFIG: cluster.kubeconfig };
    writeFileSync(at('buildkitd.toml'), '[worker.oci]\nmax-parallelism = 3\n');
    await must(
      buildx,
      [
        ...['create', '--name', 'pods', '--driver', 'kubernetes', '--buildkitd-config', at('buildkitd.toml')],
        ...['--driver-opt', 'image=registry.example.com/slipway-builder,namespace=default,timeout=1s'],
      ],
      { env },
    );
    // There is no node, so no pod becomes ready; what it would be stands there.
    await run(buildx, ['inspect', '--bootstrap', 'pods'], { env });
    const { items } = JSON.parse(await cluster.must(['get', 'deployments', '-o', 'json'])) as { items: Deployment[] };
    const pod = items[0]?.spec.template.spec;
    const main = pod?.containers[0];
    if (pod === undefined || main === undefined) throw new Error('buildx made no deployment');
    expect(main).toMatchObject({
      image: 'registry.example.com/slipway-builder',
      securityContext: { privileged: true },
    });
    expect(main.command).toBeUndefined();
    const volumes: Record<string, string> = {};
    for (const mount of main.volumeMounts ?? []) {
      const name = pod.volumes?.find((volume) => volume.name === mount.name)?.configMap?.name ?? '';
      const map = await cluster.get<{ data: Record<string, string> }>('configmap', name);
      const folder = at(`volume-${mount.name}`);
      mkdirSync(folder);
      for (const [file, text] of Object.entries(map?.data ?? {})) writeFileSync(path.join(folder, file), text);
      volumes[mount.mountPath] = folder;
    }
    await using container = await start('kubernetes', {
      args: main.args ?? [],
      volumes,
      probe: main.readinessProbe.exec.command,
    });
    expect((await container.exec(main.livenessProbe.exec.command)).code).toBe(0);
    // By kubectl exec, as the driver comes in.
    const kubectl = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
exec ${container.execCommand.join(' ')} "$@"
`;
    writeFileSync(at('kubectl'), kubectl, { mode: 0o755 });
    const through = { BUILDX_CONFIG: at('through'), PATH: `${work.path}:${process.env['PATH']}` };
    await must(buildx, ['create', '--name', 'pod', '--driver', 'remote', 'kube-pod://pod-0'], { env: through });
    await must(buildx, ['build', '--builder', 'pod', ...steps('by-pod'), context], { env: through });
    expectMade('by-pod');
  });
});

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly image: string;
          readonly command?: readonly string[];
          readonly args?: readonly string[];
          readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
          readonly readinessProbe: { readonly exec: { readonly command: readonly string[] } };
          readonly livenessProbe: { readonly exec: { readonly command: readonly string[] } };
        }[];
        readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
      };
    };
  };
}
