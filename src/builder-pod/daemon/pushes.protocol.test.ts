import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** Images that are named and pushed, by the real daemon and by ours: a registry has the same, and the client is told the same. */
const EPOCH = 1_600_000_000;
const temp = mkdtempSync(join(tmpdir(), 'slipway-pushes-'));
let registry: RegistryServer;
let both: readonly [real: TestDaemon, ours: TestDaemon];

beforeAll(async () => {
  writeFileSync(join(temp, 'f'), 'f');
  utimesSync(join(temp, 'f'), 1_500_000_000, 1_500_000_000);
  writeFileSync(join(temp, 'Dockerfile'), 'FROM scratch\nCOPY f /\n');
  registry = await RegistryServer.start({ root: join(temp, 'registry'), durable: false });
  both = [new TestDaemon(temp, 'real', REAL), new TestDaemon(temp, 'ours', OURS)];
  await Promise.all(both.map((daemon) => daemon.ready()));
});
afterAll(async () => {
  await Promise.all(both.map((daemon) => daemon.stop()));
  await registry[Symbol.asyncDispose]();
  rmSync(temp, { recursive: true, force: true });
});

/** Without compression and with an epoch, so that equal images have equal digests. */
const SAME = `compression=uncompressed,source-date-epoch=${EPOCH}`;
const PLATFORMS = ['--opt', 'platform=linux/amd64,linux/arm64'];

async function pushed(daemon: TestDaemon, output: string, args: readonly string[]) {
  const metadata = join(mkdtempSync(join(temp, `${daemon.name}-`)), 'metadata.json');
  // Each in a part of the registry of its own.
  const own = (text: string) => text.replaceAll('HOST', `${registry.host}/${daemon.name}`);
  const { code, text } = await daemon.run([
    ...['build', '--frontend=dockerfile.v0', '--local', `context=${temp}`, '--local', `dockerfile=${temp}`, ...args],
    ...['--output', own(output), '--metadata-file', metadata],
  ]);
  const other = (told: string) => told.replaceAll(own('HOST'), 'HOST').replace(`(${daemon.name}/`, '(');
  if (code !== 0) {
    const line = text.split('\n').findLast((each) => each.startsWith('error: ')) ?? text;
    return {
      error: other(line.replace(/^error: (?:failed to solve: )?/, '').replace(/rpc error: code = \w+ desc = /g, '')),
    };
  }
  const told = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, unknown>;
  return { told: JSON.parse(other(JSON.stringify(told))), registry: await contents(daemon.name, output) };
}

/** Tags of the repositories that an output names, with the digests that they have. */
async function contents(below: string, output: string): Promise<Record<string, Record<string, string | null>>> {
  const found: Record<string, Record<string, string | null>> = {};
  for (const [, repository = ''] of output.matchAll(/HOST\/([a-z]+)/g)) {
    const url = `${registry.url}/v2/${below}/${repository}`;
    const { tags } = (await (await fetch(`${url}/tags/list`)).json()) as { tags?: string[] | null };
    const digests: Record<string, string | null> = {};
    const headers = {
      accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*',
    };
    for (const tag of tags ?? [])
      digests[tag] = (await fetch(`${url}/manifests/${tag}`, { headers })).headers.get('docker-content-digest');
    found[repository] = digests;
  }
  return found;
}

test.each<[string, readonly string[]]>([
  [`type=image,name=HOST/a:1,push=true,${SAME}`, []],
  [`type=image,name=HOST/a,push=true,${SAME}`, []],
  [`type=image,"name=HOST/b:1,HOST/b:2,HOST/c",push=true,${SAME}`, []],
  [`type=image,name=HOST/d,push=true,push-by-digest=true,${SAME}`, []],
  [`type=image,name=HOST/d:tagged,push=true,push-by-digest=true,${SAME}`, []],
  [`type=image,name=HOST/e:1,push=true,name-canonical=true,store=false,unpack=true,${SAME}`, []],
  [`type=image,name=HOST/f:1,push=true,dangling-name-prefix=HOST/f,${SAME}`, []],
  [`type=image,push=true,dangling-name-prefix=HOST/f,${SAME}`, []],
  [`type=image,name=HOST/g:1,dangling-name-prefix=HOST/g,danging-name-empty-only=true,${SAME}`, []],
  [`type=image,dangling-name-prefix=HOST/g,danging-name-empty-only,${SAME}`, []],
  [`type=image,dangling-name-prefix=HOST/g,${SAME}`, []],
  [`type=image,${SAME}`, []],
  [`type=image,name=HOST/h:1,${SAME}`, []],
  [`type=image,name=HOST/i:1,push=true,registry.insecure=true,${SAME}`, []],
  [`type=image,name=HOST/j:1,push=true,oci-mediatypes=false,${SAME}`, []],
  [`type=image,name=HOST/k:1,push=true,${SAME}`, PLATFORMS],
  [`type=image,name=HOST/l:1,push=true,oci-mediatypes=false,${SAME}`, PLATFORMS],
  [`type=image,name=HOST/m:1,push=true,annotation.a=b,annotation-index.c=d,${SAME}`, PLATFORMS],
])('%s %s', async (output, args) => {
  const [real, ours] = await Promise.all(both.map((daemon) => pushed(daemon, output, args)));
  expect(ours).toEqual(real);
});

// Before anything is built: the client waits for seconds then, with either daemon, so they wait beside one another.
test.concurrent.each([
  'UPPER:1,push=true',
  'n:1,push=x',
  'n:1,unpack=x',
  'n:1,store=x',
  'n:1,name-canonical=x',
  'n:1,push-by-digest=x',
  'n:1,registry.insecure=x',
  'n:1,danging-name-empty-only=x',
])('refused in the same words: %s', async (attributes) => {
  const output = `type=image,name=HOST/${attributes},${SAME}`;
  const [real, ours] = await Promise.all(both.map((daemon) => pushed(daemon, output, [])));
  expect(real).toEqual({ error: expect.any(String) });
  expect(ours).toEqual(real);
});
