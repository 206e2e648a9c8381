import { z } from 'zod';
import { rule } from './rules.ts';
import { byteSize, defaultsTo, dnsName, duration, imageName, list, listMap } from './strings.ts';

const repository = rule(
  imageName('Repository in a registry; each scope has its own below it: `namespaces/NAME` or `scopes/NAME`.'),
  {
    message: 'must name a repository, with neither tag nor digest',
    holds: (name) => !/[:@][^/]*$/.test(name),
    cel: "!self.matches('[:@][^/]*$')",
  },
);

/**
 * `spec.cache` of a BuilderPool, and what the operator is given for the whole cluster: one registry cache that every run reads and writes, without its Build saying so.
 */
export const poolCache = z
  .strictObject({
    ref: repository,
    insecure: z.boolean().describe('Speak to its registry without verified TLS.').optional(),
    secretRef: z
      .strictObject({ name: dnsName('Name of the Secret.') })
      .describe(
        'A Secret of the operator’s own namespace of the type kubernetes.io/dockerconfigjson. It serves these repositories alone, and no step can read it.',
      )
      .optional(),
    scopes: listMap(
      z
        .strictObject({
          name: dnsName('Name of the scope.'),
          namespaces: list(
            dnsName('Name of a namespace.'),
            256,
            'Namespaces that share it (default: all that are in no other scope).',
          ).optional(),
        })
        .describe('A cache that several namespaces read and write.'),
      ['name'],
      64,
      'Namespaces that trust one another. Every other namespace has a cache that no other reads or writes.',
    ).optional(),
    mounts: z
      .boolean()
      .describe('What `RUN --mount=type=cache` has is kept there too, of Builds that name no place for it.')
      .optional(),
    keepLast: defaultsTo(
      z.number().int().min(1).max(1000).describe('Results of one step that the cache of a Build keeps.'),
      5,
    ).optional(),
    maxSize: byteSize('What all layers of the cache of one Build may come to, such as 20Gi.').optional(),
    interval: defaultsTo(
      duration('Between the end of one write and the next while a run goes on, at the least.'),
      '10s',
    ).optional(),
    prune: z
      .strictObject({
        maxAge: defaultsTo(duration('Caches that were written longer ago go.', '8760h'), '720h').optional(),
        maxSize: byteSize('What all caches of one scope may come to, such as 200Gi; the oldest go.').optional(),
        keepLast: z
          .number()
          .int()
          .min(1)
          .max(10_000)
          .describe('So many caches of a scope stay, however old and large.')
          .optional(),
        every: defaultsTo(duration('How often it is looked through.', '168h'), '6h').optional(),
      })
      .describe('What the operator deletes of it (default: what is 30 days old).')
      .optional(),
  })
  .describe('A registry cache of all runs: read by each, and written while it goes on.');

export type PoolCache = z.infer<typeof poolCache>;
