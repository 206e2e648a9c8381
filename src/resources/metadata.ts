import { z } from 'zod';
import { dnsName } from './strings.ts';

const owner = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().optional(),
});

/** What of Kubernetes' ObjectMeta is used here; the API server checks the rest. */
export const metadata = z.looseObject({
  name: dnsName('Name.'),
  namespace: dnsName('Namespace.').optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.number().optional(),
  creationTimestamp: z
    .string()
    .nullish()
    .transform((value) => value ?? undefined),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  ownerReferences: z.array(owner).optional(),
});
