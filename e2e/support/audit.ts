import { readFileSync } from 'node:fs';
import type { Kubectl } from './kubectl.ts';

/** What somebody may do, or did: `GROUP/RESOURCE verb`, of the core group `/RESOURCE verb`. */
export type Right = string;

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

const called = ({ verb, objectRef: { apiGroup = '', resource = '', subresource } = {} }: AuditEvent): Right =>
  `${apiGroup}/${resource}${subresource === undefined ? '' : `/${subresource}`} ${verb}`;

/** What an account did by the API server's audit log, and what it was refused, with the object. */
export function callsOf(
  auditLog: string,
  account: string,
): { readonly done: ReadonlySet<Right>; readonly refused: readonly string[] } {
  const events = readFileSync(auditLog, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ user, objectRef }) => user.username === account && objectRef !== undefined);
  const refused = events.filter(({ responseStatus }) => responseStatus?.code === 403);
  return {
    done: new Set(events.map(called)),
    refused: refused.map((event) => `${called(event)} ${event.objectRef?.namespace}/${event.objectRef?.name}`),
  };
}

interface Role {
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}
interface Binding {
  readonly metadata: { readonly namespace?: string };
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}

/** All that the roles of a service account let it do, wherever. */
export async function rightsOf(
  cluster: Kubectl,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<ReadonlySet<Right>> {
  const listed = await cluster.must(['get', 'clusterrolebindings,rolebindings', '-A', '-o', 'json']);
  const bindings = (JSON.parse(listed) as { items: readonly Binding[] }).items.filter(({ subjects = [] }) =>
    subjects.some((one) => one.kind === 'ServiceAccount' && one.name === name && one.namespace === namespace),
  );
  const rights = new Set<Right>();
  for (const { roleRef, metadata } of bindings) {
    const role = await cluster.get<Role>(roleRef.kind, roleRef.name, metadata.namespace);
    for (const { apiGroups, resources, verbs } of role?.rules ?? [])
      for (const group of apiGroups)
        for (const resource of resources) for (const verb of verbs) rights.add(`${group}/${resource} ${verb}`);
  }
  return rights;
}
