import { formatPlatform, normalizePlatform, type Platform, parsePlatform } from '../base/index.ts';
import type { ImageConfig } from './image-config.ts';
import type { Stage } from './instructions.ts';
import type { Linter } from './lint.ts';
import { LINT_RULES } from './lint-rules.ts';
import type { Location } from './location.ts';
import type { EnvLookup, Expansion } from './shell-lex.ts';
import { nearest } from './suggest.ts';
import { quote } from './text.ts';

const RESERVED = new Set(['context', 'scratch']);

export function checkStageNames(stages: readonly Stage[], lint: Linter): void {
  const seen = new Set<string>();
  for (const { name, location } of stages) {
    if (name === '') continue;
    if (RESERVED.has(name))
      lint.run(
        LINT_RULES.reservedStageName,
        location,
        `Stage name should not use the same name as reserved stage ${quote(name)}`,
      );
    if (seen.has(name))
      lint.run(
        LINT_RULES.duplicateStageName,
        location,
        `Duplicate stage name ${quote(name)}, stage names should be unique`,
      );
    seen.add(name);
  }
}

/** The majority of instructions says which case is right. */
export function checkCasing(stages: readonly Stage[], lint: Linter): void {
  const keywords = stages.flatMap((stage) => [stage, ...stage.commands]);
  let lower = 0;
  let upper = 0;
  for (const { keyword } of keywords) {
    if (keyword === keyword.toLowerCase()) lower += 1;
    else if (keyword === keyword.toUpperCase()) upper += 1;
  }
  const wantsLower = lower > upper;
  for (const { keyword, location } of keywords) {
    if (keyword === (wantsLower ? keyword.toLowerCase() : keyword.toUpperCase())) continue;
    const majority = wantsLower ? 'lowercase' : 'uppercase';
    lint.run(
      LINT_RULES.consistentInstructionCasing,
      location,
      `Command '${keyword}' should match the case of the command majority (${majority})`,
    );
  }
}

export function checkFromArgs(
  unmatched: ReadonlySet<string>,
  known: ReadonlySet<string>,
  location: Location,
  lint: Linter,
): void {
  for (const name of unmatched) {
    if (known.has(name)) continue;
    lint.run(LINT_RULES.undefinedArgInFrom, location, () => {
      const near = nearest(name, known);
      const hint = near === undefined || near === '' ? '' : ` (did you mean ${near}?)`;
      return `FROM argument '${name}' is not declared${hint}`;
    });
  }
}

export function checkPlatformFlag(stage: Stage, expansion: Expansion, env: EnvLookup, lint: Linter): void {
  const { matched, unmatched, result } = expansion;
  if (matched.size === 1 && unmatched.size === 0 && matched.has('TARGETPLATFORM')) {
    if (env.get('TARGETPLATFORM') === result)
      lint.run(
        LINT_RULES.redundantTargetPlatform,
        stage.location,
        `Setting platform to predefined ${stage.platform} in FROM is redundant as this is the default behavior`,
      );
    return;
  }
  if (matched.size > 0 || unmatched.size > 0) return;
  let platform: Platform;
  try {
    platform = parsePlatform(result);
  } catch {
    return;
  }
  // A stage that is named for its platform means it.
  if (stage.name.includes(platform.os) || stage.name.includes(platform.architecture)) return;
  lint.run(
    LINT_RULES.fromPlatformFlagConstDisallowed,
    stage.location,
    `FROM --platform flag should not use constant value ${quote(result)}`,
  );
}

export function checkImagePlatform(
  name: string,
  expected: Platform,
  image: ImageConfig,
  location: Location,
  lint: Linter,
): void {
  if (expected.os === image.os && expected.architecture === image.architecture) return;
  const actual = normalizePlatform({ os: image.os, architecture: image.architecture });
  lint.run(
    LINT_RULES.invalidBaseImagePlatform,
    location,
    `Base image ${name} was pulled with platform ${quote(formatPlatform(actual))}, ` +
      `expected ${quote(formatPlatform(normalizePlatform(expected)))} for current build`,
  );
}
