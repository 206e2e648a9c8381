import { z } from 'zod';
import { digest, list, listMap, text, time } from './strings.ts';

const count = (description: string) => z.number().int().min(0).max(2_147_483_647).describe(description);

export const PHASES = [
  'Pending',
  'Queued',
  'Running',
  'Committing',
  'Succeeded',
  'Failed',
  'Error',
  'Cancelled',
] as const;
export const phase = z.enum(PHASES).describe('Where the run stands; Failed is the user’s, Error the platform’s.');
export type Phase = z.infer<typeof phase>;

/** Whether a run of this phase has ended; it then never changes again. */
export const isOver = (phase: Phase | undefined): boolean =>
  phase === 'Succeeded' || phase === 'Failed' || phase === 'Error' || phase === 'Cancelled';

const bytes = (description: string) => z.number().int().min(0).describe(description);
/** How much a registry was given. */
const moved = {
  pushedBytes: bytes('Bytes of blobs that were sent.').optional(),
  mountedBytes: bytes('Bytes of blobs that were mounted from another repository: they did not move.').optional(),
};

const condition = z
  .strictObject({
    type: text(316, 'Type of the condition.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
    observedGeneration: z.number().int().min(0).describe('Generation of the object that it speaks of.').optional(),
    lastTransitionTime: time('When the status last changed.'),
    reason: text(1024, 'Stable CamelCase word for machines.'),
    message: text(4096, 'What a person should know.'),
  })
  .describe('One aspect of the state.');
export type Condition = z.infer<typeof condition>;
export const conditions = listMap(condition, ['type'], 16, 'Aspects of the state.');

export const outputStatus = z
  .strictObject({
    image: text(512, 'Repository that was pushed to.'),
    tags: list(text(128, 'A tag.'), 32, 'Tags written.').optional(),
    digest: digest('Digest of the manifest or index.'),
    mediaType: text(128, 'Its media type.').optional(),
    size: z.number().int().min(0).describe('Bytes of manifests, config and compressed layers.').optional(),
    platforms: list(text(64, 'os/arch[/variant].'), 16, 'Platforms of the image.').optional(),
    attestations: list(
      text(256, 'Type of a predicate, e.g. https://slsa.dev/provenance/v1.'),
      8,
      'What is attested of it, beside it.',
    ).optional(),
    images: list(
      z
        .strictObject({
          platform: text(64, 'os/arch[/variant].'),
          digest: digest('Digest of its manifest.'),
          size: z.number().int().min(0).describe('Bytes of manifest, config and compressed layers.'),
          attestations: list(text(256, 'Type of a predicate.'), 8, 'What is attested of it.').optional(),
        })
        .describe('The image of a platform.'),
      16,
      'What an index has for each platform.',
    ).optional(),
    signature: text(700, 'Name of its signatures, where the run has signed it.').optional(),
    ...moved,
  })
  .describe('An image that was pushed.');
export type OutputStatus = z.infer<typeof outputStatus>;

export const resolved = z
  .strictObject({
    commit: text(64, 'Commit of the main source.').optional(),
    baseImages: list(
      z
        .strictObject({ name: text(512, 'Name as the build has it.'), digest: digest('What it was.') })
        .describe('A base image.'),
      32,
      'Images that the build started from.',
    ).optional(),
  })
  .describe('What names in the source turned out to be.');

export const llbStatus = z
  .strictObject({
    vertices: count('Vertices of the graph, or of those for all platforms.'),
    ops: z
      .record(z.string().max(32), z.number().int().min(0))
      .meta({ description: 'How many are of each kind: source, exec, file, merge, diff, …', maxProperties: 16 }),
    sources: list(text(200, 'A source as LLB names it.'), 16, 'What is fetched; the first 16.').optional(),
    platforms: list(text(64, 'os/arch[/variant].'), 16, 'Platforms that vertices name.').optional(),
    entitlements: list(text(32, 'An entitlement.'), 16, 'What the builder must allow.').optional(),
  })
  .describe('The graph of a Build that gives one, as it was checked before a builder was asked.');
export type LlbSummary = z.infer<typeof llbStatus>;

export const cacheStatus = z
  .strictObject({
    vertices: count('Steps of the graph.'),
    hits: count('Steps that came from the cache.'),
    exports: list(
      z
        .strictObject({
          ref: text(512, 'Where it was to be written.'),
          digest: digest('Of its manifest, where it was written.').optional(),
          ...moved,
        })
        .describe('A cache that was to be written.'),
      8,
      'Caches that were to be written.',
    ).optional(),
  })
  .describe('Use of the cache.');

export const pulled = list(
  z
    .strictObject({
      source: text(512, 'Repository with its registry, or name of a store.'),
      bytes: bytes('Bytes of layers.'),
    })
    .describe('A place that layers came from.'),
  16,
  'Where layers of base images and caches came from, the most first. What several runs want at once is counted to the one that began to pull it, and what the builder has is not pulled.',
);

export const slowestSteps = list(
  z.strictObject({ name: text(256, 'Name of the step.'), duration: text(32, 'How long it took.') }).describe('A step.'),
  5,
  'The steps that took longest.',
);

export const failure = z
  .strictObject({
    class: z.enum(['user', 'policy', 'infrastructure', 'cancelled']).describe('Whose fault it is.'),
    reason: text(128, 'Stable CamelCase word for machines.'),
    message: text(2048, 'What went wrong, and what to do.'),
    step: text(256, 'Step that failed.').optional(),
    dockerfile: z
      .strictObject({
        path: text(1024, 'Name of the file.').optional(),
        startLine: count('First line, from 1.'),
        endLine: count('Last line.'),
        snippet: text(1024, 'The lines, numbered and marked, and those around them.').optional(),
      })
      .describe('Where in the Dockerfile.')
      .optional(),
    exitCode: z.number().int().min(-1).max(255).describe('Exit code of the command.').optional(),
    logTail: text(2048, 'The last that the step printed.').optional(),
  })
  .describe('Why it did not succeed.');
export type Failure = z.infer<typeof failure>;
export { count };
