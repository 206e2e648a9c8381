import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { afterEach, expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { openKubeClient, uncheckedType } from './kube-client.ts';

const signal = neverAborted;
const secrets = uncheckedType({ group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true });

let proxy: Server | undefined;
afterEach(() => {
  proxy?.closeAllConnections();
  proxy?.close();
});

test('the API server is asked through the proxy of the environment, unless NO_PROXY names it', async () => {
  const asked: string[] = [];
  proxy = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.end(JSON.stringify({ kind: 'Secret', metadata: { name: 'a', namespace: 'b' } }));
  });
  await new Promise<void>((resolve) => proxy?.listen(0, '127.0.0.1', resolve));
  const http = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'c', server: 'http://api.corp.test', skipTLSVerify: true }, { name: 'u' });
  const metrics = { request: () => {} };
  using proxied = openKubeClient(config, metrics, { http, noProxy: '' });
  expect(await proxied.get(secrets, { namespace: 'b', name: 'a' }, { signal })).toMatchObject({ kind: 'Secret' });
  expect(asked).toEqual(['http://api.corp.test/api/v1/namespaces/b/secrets/a']);
  using direct = openKubeClient(config, metrics, { http, noProxy: '.corp.test' });
  await expect(direct.get(secrets, { namespace: 'b', name: 'a' }, { signal })).rejects.toMatchObject({
    reason: 'KUBE_CONNECTION',
  });
  expect(asked).toHaveLength(1);
});
