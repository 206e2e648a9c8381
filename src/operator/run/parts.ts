import type { BuildRunStatus, BuildSpec } from '../../resources/index.ts';
import { matchesPlatform } from '../dispatch/platforms.ts';

/** What a run of several platforms is solved as: one of them after the other, each where it runs best, then their index. */
type Part = NonNullable<BuildRunStatus['parts']>[number];

/** Platforms of ready builders of a pool, each with its own first. */
export type Offers = readonly (readonly string[])[];

/** Most parts: their attempts, and some retries, have room in a record. */
const MOST_PARTS = 6;
/** The last part of a run that has any. */
export const INDEX = 'index';

/** Whether a Build may be built in parts: an index is made of images in one repository, and what is attested of an image is of the solve that made it. */
export function isDivisible({ platforms = [], outputs = [], attestations }: BuildSpec): boolean {
  if (platforms.length < 2 || platforms.length > MOST_PARTS || new Set(platforms).size < platforms.length) return false;
  return outputs.length === 1 && (attestations?.provenance ?? attestations?.sbom) === undefined;
}

/** Whether platforms are built apart: where each has a builder of its own, or no builder has all of them. What one builder does as well it does as a whole, and so it does what no builder offers. */
export function isSplit(platforms: readonly string[], offers: Offers): boolean {
  const offered = (wanted: string) => offers.some((all) => matchesPlatform(all, wanted));
  if (!platforms.every(offered)) return false;
  // One builder's own platform may stand for others, as amd64 for 386.
  const owns = (wanted: string) => offers.some(([own]) => own !== undefined && matchesPlatform([own], wanted));
  const ownsAll = offers.some(
    ([own]) => own !== undefined && platforms.every((wanted) => matchesPlatform([own], wanted)),
  );
  if (ownsAll) return false;
  return platforms.every(owns) || !offers.some((all) => platforms.every((wanted) => matchesPlatform(all, wanted)));
}

/** The platform that is built next or now, or that the index is made; undefined for a run without parts. */
export function partOf({ parts }: Pick<BuildRunStatus, 'parts'>): string | undefined {
  if (parts === undefined) return undefined;
  return parts.find(({ digest }) => digest === undefined)?.platform ?? INDEX;
}

/** What builders must offer for what a run solves next; undefined for any. */
export function platformWanted(
  platforms: readonly string[],
  status: Pick<BuildRunStatus, 'parts'>,
  offers: Offers,
): string | undefined {
  const part = partOf(status);
  if (part !== undefined) return part === INDEX ? undefined : part;
  // Steps that run nothing are the same everywhere: what no builder offers may still be built, by whoever has most of it.
  const able = (some: readonly string[]) => offers.some((all) => some.every((wanted) => matchesPlatform(all, wanted)));
  if (platforms.length === 0 || !able(platforms)) return undefined;
  return platforms.join(',');
}

/** The parts once one is pushed. */
export function withDigest(parts: readonly Part[], digest: string): Part[] {
  const at = parts.findIndex((one) => one.digest === undefined);
  return parts.map((one, index) => (index === at ? { ...one, digest } : one));
}
