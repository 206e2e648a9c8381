import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { buildx } from '../../../e2e/support/paths.ts';
import { run } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';

/** The real buildx, with a builder of ours as its remote one: no Docker is there, and none is needed. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let registry: string;

beforeAll(async () => {
  folder = stack.use(tempFolder('buildx')).path;
  for (const name of ['builder', 'context']) mkdirSync(file(name));
  const server = stack.use(await RegistryServer.start({ root: file('registry'), durable: false }));
  registry = server.host;
  const builder = stack.use(await startBuilder(file('builder')));
  writeFileSync(
    file('context/Dockerfile'),
    [
      'FROM scratch AS one',
      'COPY status /var/lib/dpkg/status',
      'FROM scratch',
      'ARG WHO=nobody',
      'LABEL who=$WHO',
      'COPY --from=one / /',
    ].join('\n'),
  );
  const status = 'Package: slip\nStatus: install ok installed\nVersion: 1.2-3\nArchitecture: all\n';
  writeFileSync(file('context/status'), status);
  await done('create', '--name', 'ours', '--driver', 'remote', '--use', builder.address);
});

const file = (name: string) => path.join(folder, name);

const call = (...args: readonly string[]) =>
  run(buildx, args, { env: { HOME: folder, BUILDX_CONFIG: file('config'), DOCKER_CONFIG: file('docker') } });

async function done(...args: readonly string[]) {
  const ran = await call(...args);
  expect(ran.code, ran.stderr).toBe(0);
  return ran;
}

test('it knows the builder, and what that can do', async () => {
  const { stdout } = await done('inspect', '--bootstrap');
  expect(stdout).toMatch(/Driver:\s+remote/);
  expect(stdout).toMatch(/Status:\s+running/);
  expect(stdout).toMatch(/Platforms:.*linux\/amd64/);
});

test('imagetools finds provenance and SBOM of an image that was pushed', async () => {
  const name = `${registry}/app/attested:1`;
  const built = await done(
    ...['build', '--push', '--tag', name, '--build-arg', 'WHO=us', '--sbom=true', '--provenance=mode=max'],
    ...['--metadata-file', file('metadata.json'), file('context')],
  );
  expect(built.stderr).toContain('exporting attestation manifest');
  const metadata = JSON.parse(readFileSync(file('metadata.json'), 'utf8')) as Record<string, unknown>;
  const inspect = async (template: string) =>
    JSON.parse((await done('imagetools', 'inspect', name, '--format', template)).stdout) as never;
  const { digest } = (await inspect('{{json .Manifest}}')) as { digest: string };
  expect(metadata['containerimage.digest']).toBe(digest);
  const provenance = (await inspect('{{json .Provenance}}')) as {
    SLSA: { buildDefinition: { externalParameters: { request: { args: Record<string, string> } } } };
  };
  expect(provenance.SLSA.buildDefinition.externalParameters.request.args['build-arg:WHO']).toBe('us');
  const sbom = (await inspect('{{json .SBOM}}')) as { SPDX: { packages: { name: string; versionInfo: string }[] } };
  expect(sbom.SPDX.packages.map(({ name: of, versionInfo }) => `${of} ${versionInfo}`)).toContain('slip 1.2-3');
  const image = (await inspect('{{json .Image}}')) as { config: { Labels: Record<string, string> } };
  expect(image.config.Labels).toEqual({ who: 'us' });
});

test('of several platforms each has its own', async () => {
  const name = `${registry}/app/platforms:1`;
  const platforms = 'linux/amd64,linux/arm64';
  await done('build', '--push', '--tag', name, '--sbom=true', '--platform', platforms, file('context'));
  for (const what of ['Provenance', 'SBOM']) {
    const { stdout } = await done('imagetools', 'inspect', name, '--format', `{{json .${what}}}`);
    expect(Object.keys(JSON.parse(stdout) as object).sort()).toEqual(platforms.split(','));
  }
});

test('a bake file of two targets builds both, with its variables, into folders', async () => {
  writeFileSync(
    file('docker-bake.hcl'),
    [
      'variable "WHO" {\n default = "nobody"\n}',
      'group "default" {\n targets = ["a", "b"]\n}',
      `target "a" {\n context = "${file('context')}"\n output = ["type=local,dest=${file('out/a')}"]\n}`,
      `target "b" {\n inherits = ["a"]\n args = { WHO = WHO }\n output = ["type=oci,dest=${file('b.tar')}"]\n}`,
    ].join('\n'),
  );
  await done('bake', '--allow', `fs=${folder}`, '--file', file('docker-bake.hcl'));
  expect(readFileSync(file('out/a/var/lib/dpkg/status'), 'utf8')).toContain('slip');
  expect(readFileSync(file('b.tar')).length).toBeGreaterThan(1000);
});

test('a build that fails says where; what is kept is listed and removed', async () => {
  writeFileSync(file('bad.Dockerfile'), 'FROM scratch\nCOPY nothing /\n');
  const failed = await call('build', '--file', file('bad.Dockerfile'), file('context'));
  expect(failed.code).not.toBe(0);
  expect(failed.stderr).toMatch(/bad\.Dockerfile:2/);
  expect(failed.stderr).toMatch(/"\/nothing": not found/);
  const history = await done('history', 'ls', '--format', 'json');
  expect(history.stdout).toContain('"Error"');
  expect((await done('du')).stdout).toMatch(/Total:/);
  await done('prune', '--all', '--force');
  expect((await done('du')).stdout).toMatch(/Total:\s+0B/);
});
