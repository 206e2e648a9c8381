import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Namespaces } from './namespaces.ts';

/** Starts a registry without TLS on the node's address, where pods, node and machine reach it by one name: its `host:port`. */
export async function startRegistry(folder: string, namespaces: Namespaces): Promise<string> {
  const data = path.join(folder, 'registry');
  mkdirSync(data);
  const host = `${namespaces.addresses.node}:5000`;
  const config = path.join(folder, 'registry.json');
  const storage = { filesystem: { rootdirectory: data }, delete: { enabled: true } };
  writeFileSync(config, JSON.stringify({ version: '0.1', storage, http: { addr: host } }));
  const registry = namespaces.start('registry', 'docker-registry', ['serve', config]);
  await registry.ready(async () => (await fetch(`http://${host}/v2/`)).ok);
  return host;
}
