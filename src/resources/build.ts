import { z } from 'zod';
import { buildSpec } from './build-spec.ts';
import { resource } from './resource.ts';
import {
  cacheStatus,
  conditions,
  count,
  failure,
  outputStatus,
  phase,
  pulled,
  resolved,
  slowestSteps,
} from './status.ts';
import { list, text, time } from './strings.ts';

/** The annotation whose change starts a new run though the spec is the same. */
export const RERUN_ANNOTATION = 'slipway.build/rerun';

/** The annotation that holds back new runs with the value `true`, as `spec.suspend` does: for those who do not own the spec. */
export const PAUSED_ANNOTATION = 'slipway.build/paused';

export const buildStatus = z
  .strictObject({
    observedGeneration: z.number().int().min(0).describe('Generation that the status speaks of.').optional(),
    phase: phase.describe('Phase of the newest run.').optional(),
    conditions: conditions.describe('Ready, Reconciling and Stalled.').optional(),
    lastRun: z
      .strictObject({
        name: text(253, 'Name of the BuildRun.'),
        number: count('Its number.'),
        hash: text(64, 'Hash of what it built.'),
      })
      .describe('The newest run.')
      .optional(),
    triggered: z
      .strictObject({
        token: text(1200, 'What the newest trigger was; part of the hash.').optional(),
        reason: text(64, 'Why: Schedule or NewRevision.').optional(),
        message: text(1200, 'What a person should know of it.').optional(),
        at: time('When it was.').optional(),
        schedule: z
          .strictObject({ cron: text(128, 'The schedule.'), since: time('Times up to this one are dealt with.') })
          .describe('How far the schedule has been followed.')
          .optional(),
        revision: text(1100, 'What the sources of Flux had when they were looked at last.').optional(),
      })
      .describe('What has started runs besides changes.')
      .optional(),
    startedAt: time('When the newest run started.').optional(),
    completedAt: time('When the newest run ended.').optional(),
    outputs: list(outputStatus, 16, 'Images of the newest run that succeeded.').optional(),
    image: text(700, 'First image of the newest run that succeeded, by digest.').optional(),
    resolved: resolved.optional(),
    cache: cacheStatus.optional(),
    pulled: pulled.optional(),
    slowestSteps: slowestSteps.optional(),
    failure: failure.describe('Why the newest run did not succeed.').optional(),
  })
  .describe('What became of it: the summary of the newest run.');

/** The declaration: "this image is to exist, built from this". */
export const build = resource('Build', buildSpec.describe('What is to be built, and how.'), buildStatus).describe(
  'An image that is to exist, and from what. A run starts when its build-relevant fields change.',
);

export type BuildStatus = z.infer<typeof buildStatus>;
export type Build = z.infer<typeof build>;
