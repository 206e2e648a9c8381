import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { readTrust } from '../../base/build-trust.ts';
import { neverAborted as signal } from '../../base/index.ts';
import { RegistryServer } from '../registry-server/index.ts';
import { anonymous, RegistryClient } from './index.ts';

const stack = new AsyncDisposableStack();
let registry: RegistryServer;
let pem: string;

beforeAll(async () => {
  const folder = stack.use(tempFolder('registry-trust')).path;
  const [cert, key] = [join(folder, 'a.crt'), join(folder, 'a.key')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', key],
      ...['-out', cert, '-subj', '/CN=a', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'],
    ],
    { stdio: 'ignore' },
  );
  pem = readFileSync(cert, 'utf8');
  const tls = { cert: pem, key: readFileSync(key, 'utf8') };
  registry = stack.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false, tls }));
});
afterAll(() => stack.disposeAsync());

test('what one build trusts no other build does, whatever the client knows by then', async () => {
  // A registry on loopback would be taken for one without TLS.
  const hosts = { [registry.host]: { plainHttp: false } };
  using client = new RegistryClient({ hosts, retry: { delaysMs: [] }, tagMaxAgeMs: 60_000 });
  const trust = readTrust({ caBundle: pem, proxy: '', noProxy: '' });
  const trusting = () => client.repository({ domain: registry.host, path: 'a' }, { ...anonymous, trust });
  const other = () => client.repository({ domain: registry.host, path: 'a' }, anonymous);
  await expect(other().resolve('v1', { signal })).rejects.toThrow(/certificate/);

  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] }));
  await trusting().putManifest('v1', { mediaType, bytes }, { signal });
  const known = await trusting().resolveRecent('v1', { signal });
  expect(known.size).toBe(bytes.length);
  // Neither a connection that is open nor what was told over it.
  await expect(other().resolveRecent('v1', { signal })).rejects.toThrow(/certificate/);
  await expect(other().getManifest(known.digest, { signal })).rejects.toThrow(/certificate/);
});
