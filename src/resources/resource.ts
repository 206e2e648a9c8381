import { z } from 'zod';
import { API_VERSION, dnsName } from './strings.ts';

const owner = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().optional(),
});

/** What of Kubernetes' ObjectMeta is used here; the API server checks the rest. */
const metadata = z.looseObject({
  name: dnsName('Name.'),
  namespace: dnsName('Namespace.').optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.number().optional(),
  creationTimestamp: z
    .string()
    .nullish()
    .transform((value) => value ?? undefined)
    .optional(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  ownerReferences: z.array(owner).optional(),
});

/** A kind of resource by its parts: what every one has, and its own spec and status. */
export const resource = <K extends string, Spec extends z.ZodType, Status extends z.ZodType>(
  kind: K,
  spec: Spec,
  status: Status,
) =>
  z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(kind),
    metadata,
    spec,
    status: status.optional(),
  });
