import { z } from 'zod';

const name = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be the name of an object');

/** Certificates that an operator is to make and renew, as a file has them. */
export const keptCertificates = z
  .array(
    z.strictObject({
      usage: z.enum(['server', 'client']),
      secret: z.strictObject({ namespace: name, name }),
      commonName: z.string().min(1).max(64),
      names: z.array(z.string().min(1).max(253)).max(64).default([]),
    }),
  )
  .max(16);

export type KeptCertificate = z.output<typeof keptCertificates>[number];
