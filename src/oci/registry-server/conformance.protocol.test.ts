import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tool } from '../../../test/tools.ts';
import { type RegistryAccess, RegistryServer } from './index.ts';

const suite = tool('oci-conformance');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-conformance-'));
  await access(suite).catch(() => {
    throw new Error(`${suite} is missing: run scripts/setup.sh tests, which builds it`);
  });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs every API and data category of the OCI suite, the optional ones that this server claims too. */
async function conform(registryAccess: RegistryAccess | undefined): Promise<{ output: string; junit: string }> {
  await using registry = await RegistryServer.start({
    root: join(folder, 'registry'),
    durable: false,
    ...(registryAccess === undefined ? {} : { access: registryAccess }),
  });
  const run = promisify(execFile)(suite, {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      OCI_REGISTRY: registry.host,
      OCI_TLS: 'disabled',
      OCI_RESULTS_DIR: folder,
      OCI_API_BLOBS_DIGEST_HEADER: 'true',
      OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
      OCI_API_MANIFESTS_DIGEST_HEADER: 'true',
      ...(registryAccess === undefined
        ? {}
        : {
            OCI_USERNAME: 'ada',
            OCI_PASSWORD: 'lovelace',
            OCI_API_BLOBS_MOUNT_ANONYMOUS: String(registryAccess.kind === 'basic'),
          }),
    },
    maxBuffer: 64 << 20,
  });
  const { stdout, stderr } = await run;
  return { output: stdout + stderr, junit: await readFile(join(folder, 'junit.xml'), 'utf8') };
}

describe('OCI distribution conformance suite', () => {
  const users = { ada: 'lovelace' };
  test.each([
    ['open to all', undefined],
    ['basic authentication', { kind: 'basic', users }],
    ['bearer tokens', { kind: 'token', users }],
  ] as const)('%s', async (_name, registryAccess) => {
    const { output, junit } = await conform(registryAccess);
    const [, tests, failures, errors] =
      /<testsuite [^>]*tests="(\d+)" failures="(\d+)" errors="(\d+)"/.exec(junit) ?? [];
    expect(Number(tests)).toBeGreaterThan(500);
    expect({ failures, errors }).toEqual({ failures: '0', errors: '0' });
    const results = new Map(
      [...output.matchAll(/^ {2}(.+?)\.+:\s+([A-Z]\w+)$/gm)].map(([, name, result]) => [name, result]),
    );
    expect(results.size).toBeGreaterThan(40);
    // What the server does not claim, and what the suite cannot ask for: its tokens never cover two repositories.
    const expected = ['Manifest put with tag params', 'Sparse Manifests', 'Tag Param', 'Tag Param sha512'];
    if (registryAccess?.kind === 'token') expected.push('Blob mount', 'Blob anonymous mount');
    expect([...results].filter(([name, result]) => result !== 'Pass' && !expected.includes(name ?? ''))).toEqual([]);
  });
});
