import { Resolver } from 'node:dns/promises';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { tool } from '../../../test/tools.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Namespaces } from './namespaces.ts';

/** Domain of the cluster's names. */
export const DOMAIN = 'cluster.local';

/** Starts the name server of services and pods on the node's address, and waits until it knows them. It knows no others. */
export async function startNameServer(folder: string, namespaces: Namespaces, plane: ControlPlane): Promise<void> {
  const { node } = namespaces.addresses;
  const file = path.join(folder, 'Corefile');
  const kubeconfig = await plane.kubeconfigOf('name-server', 'system:masters');
  writeFileSync(
    file,
    `. {\n  bind ${node}\n  errors\n  kubernetes ${DOMAIN} {\n    kubeconfig ${kubeconfig}\n    ttl 1\n  }\n}\n`,
  );
  const server = namespaces.start('name-server', tool('coredns'), ['-conf', file]);
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([node]);
  await server.ready(async () => (await resolver.resolve4(`kubernetes.default.svc.${DOMAIN}`)).length > 0);
}
