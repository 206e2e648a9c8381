import { z } from 'zod';
import { buildSpec } from './build-spec.ts';
import { resource } from './resource.ts';
import { rule } from './rules.ts';
import {
  cacheStatus,
  conditions,
  count,
  failure,
  llbStatus,
  outputStatus,
  phase,
  pulled,
  resolved,
  slowestSteps,
} from './status.ts';
import { defaultsTo, digest, dnsName, list, listMap, text, time } from './strings.ts';

/** Most attempts that the record holds. */
export const MAX_ATTEMPTS = 10;

const cancel = z
  .strictObject({
    reason: defaultsTo(
      z.enum(['User', 'Superseded']).describe('Why; Superseded is written by the operator.'),
      'User',
    ).optional(),
    message: text(1024, 'What a person should know.').optional(),
  })
  .describe('Ends the run. It can be set, and not be taken back.');

const immutable = (field: string) => ({
  message: `${field} is immutable`,
  // What changes is known to the API server alone.
  holds: () => true,
  cel: `self.${field} == oldSelf.${field}`,
});

export const buildRunSpec = rule(
  z.strictObject({
    buildRef: z.strictObject({ name: dnsName('Name of the Build.') }).describe('The Build that this run is of.'),
    number: z.number().int().min(1).max(2_147_483_647).describe('Place among the runs of the Build, from 1.'),
    hash: text(64, 'Hash of what is built.'),
    buildSpec: buildSpec.describe('The Build’s spec when the run was made.'),
    cancel: cancel.optional(),
  }),
  immutable('buildRef'),
  immutable('number'),
  immutable('hash'),
  immutable('buildSpec'),
  {
    message: 'cancel cannot be taken back',
    holds: () => true,
    cel: '!has(oldSelf.cancel) || has(self.cancel)',
  },
).describe('What this run builds.');

const attempt = z
  .strictObject({
    number: z.number().int().min(1).max(MAX_ATTEMPTS).describe('From 1.'),
    builder: text(512, 'Address of the builder.'),
    pool: text(253, 'Name of its pool.').optional(),
    pod: text(253, 'Its pod.').optional(),
    node: text(253, 'Its node.').optional(),
    part: text(64, 'The platform that was built, or index; of a run without parts none.').optional(),
    startedAt: time('When it was given to the builder.'),
    completedAt: time('When it ended.').optional(),
    reason: text(128, 'How it ended.').optional(),
    message: text(1024, 'What a person should know.').optional(),
  })
  .describe('One try on one builder.');
export type Attempt = z.infer<typeof attempt>;

export const buildRunStatus = z
  .strictObject({
    observedGeneration: z.number().int().min(0).describe('Generation that the status speaks of.').optional(),
    phase: phase.optional(),
    conditions: conditions.describe('Accepted, Scheduled, Succeeded and CacheExported.').optional(),
    work: text(
      128,
      'Digest of what is done, without outputs: of runs that have the same one does it for all.',
    ).optional(),
    needs: text(
      1024,
      'Sketch of the keys of what it needed: the next run goes to the builder that holds most of them.',
    ).optional(),
    used: z
      .strictObject({
        memory: z.number().int().min(0).describe('Bytes of memory of its steps that ran at once, at most.'),
        cpuSeconds: count('Seconds of CPU of its steps.'),
        cpuMillis: count('Thousandths of a processor that they took on average.'),
      })
      .describe('What its steps used; the next run is given to a builder that has as much left.')
      .optional(),
    queue: z
      .strictObject({ position: count('Place in the queue of its pool, from 1.') })
      .describe('Its place in the queue.')
      .optional(),
    attempts: listMap(attempt, ['number'], MAX_ATTEMPTS, 'Tries, the newest last.').optional(),
    parts: list(
      z
        .strictObject({
          platform: text(64, 'os/arch[/variant].'),
          digest: digest('Of its image, once that is pushed.').optional(),
        })
        .describe('A platform.'),
      8,
      'Platforms that are built one by one, where no builder builds them all as well; an index is made of them at the end.',
    ).optional(),
    queuedAt: time('When it was first seen.').optional(),
    startedAt: time('When the first attempt started.').optional(),
    completedAt: time('When it ended.').optional(),
    llb: llbStatus.optional(),
    resolved: resolved.optional(),
    outputs: list(outputStatus, 16, 'Images that were pushed.').optional(),
    cache: cacheStatus.optional(),
    pulled: pulled.optional(),
    slowestSteps: slowestSteps.optional(),
    failure: failure.optional(),
  })
  .describe('The record of the run.');

/** One execution of a Build: owned by it, immutable but for `cancel`, and its record. */
export const buildRun = resource('BuildRun', buildRunSpec, buildRunStatus).describe(
  'One execution of a Build, and its record. Made by the operator.',
);

export type BuildRunSpec = z.infer<typeof buildRunSpec>;
export type BuildRunStatus = z.infer<typeof buildRunStatus>;
export type BuildRun = z.infer<typeof buildRun>;
