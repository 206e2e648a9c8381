import { z } from 'zod';

/** Group and version of every Slipway resource. */
export const API_VERSION = 'slipway.build/v1alpha1';

/** Text with the maximum that every string of a resource must have (CEL cost, etcd size). */
export const text = (max: number, description: string) => z.string().max(max).describe(description);

/** RFC 1123 label, e.g. a Secret key's owner or a context name. */
export const dnsName = (description: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be a lower-case DNS name')
    .describe(description);

/** Reference to a key of a Secret in the Build's namespace. */
export const secretKeyRef = z
  .strictObject({
    name: dnsName('Name of the Secret.'),
    key: text(253, 'Key within the Secret; all keys where the user of the reference takes several.').optional(),
  })
  .describe('A Secret of the same namespace.');

/** Kubernetes duration, e.g. `90s`, `1h30m`. */
export const duration = (description: string) =>
  z
    .string()
    .max(32)
    .regex(/^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/, 'must be a duration such as 90s or 1h30m')
    .describe(description);
