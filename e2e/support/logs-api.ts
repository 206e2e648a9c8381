import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { makeAuthority } from './certificates.ts';
import type { Cluster } from './cluster.ts';
import { freePort } from './ports.ts';

const NAMESPACE = 'slipway-system';
const SERVICE = 'slipway-operator';

/**
 * The operator's API, which runs beside the cluster, behind the API server: a Service by the name of this machine, and the APIService. @returns the operator's flags
 */
export async function registerLogsApi(cluster: Cluster, folder: string): Promise<readonly string[]> {
  const pki = path.join(folder, 'api-pki');
  const served = path.join(folder, 'api-tls');
  for (const made of [pki, served]) mkdirSync(made, { recursive: true });
  const ca = await makeAuthority(pki, 'api');
  const certificate = await ca.issue('api', { names: [`${SERVICE}.${NAMESPACE}.svc`] });
  copyFileSync(certificate.cert, path.join(served, 'tls.crt'));
  copyFileSync(certificate.key, path.join(served, 'tls.key'));
  copyFileSync(ca.cert, path.join(served, 'ca.crt'));
  const port = await freePort();
  const applied = await cluster.apply(`apiVersion: v1
kind: Service
metadata: { name: ${SERVICE}, namespace: ${NAMESPACE} }
spec: { type: ExternalName, externalName: localhost, ports: [{ name: api, port: ${port} }] }
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: { name: v1alpha1.logs.slipway.build }
spec:
  group: logs.slipway.build
  version: v1alpha1
  groupPriorityMinimum: 1000
  versionPriority: 10
  service: { name: ${SERVICE}, namespace: ${NAMESPACE}, port: ${port} }
`);
  if (applied.code !== 0) throw new Error(applied.output);
  return ['--api-addr', `127.0.0.1:${port}`, '--api-tls', served];
}
