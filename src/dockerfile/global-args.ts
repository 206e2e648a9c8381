import { formatPlatform, type Platform, parseImageReference } from '../base/index.ts';
import type { CommandOf, Stage } from './instructions.ts';
import type { Linter } from './lint.ts';
import { LINT_RULES } from './lint-rules.ts';
import { atLocation } from './location.ts';
import { expand } from './shell-lex.ts';
import { Environment, OutlineNotes } from './stage-state.ts';

/** The platform arguments that every Dockerfile knows; build arguments may override them. */
export function platformArgs(
  build: Platform,
  target: Platform,
  buildArgs: ReadonlyMap<string, string>,
  stage: string,
): Environment {
  const values: readonly (readonly [string, string])[] = [
    ['BUILDPLATFORM', formatPlatform(build)],
    ['BUILDOS', build.os],
    ['BUILDOSVERSION', build['os.version'] ?? ''],
    ['BUILDARCH', build.architecture],
    ['BUILDVARIANT', build.variant ?? ''],
    ['TARGETPLATFORM', formatPlatform(target)],
    ['TARGETOS', target.os],
    ['TARGETOSVERSION', target['os.version'] ?? ''],
    ['TARGETARCH', target.architecture],
    ['TARGETVARIANT', target.variant ?? ''],
    ['TARGETSTAGE', stage === '' ? 'default' : stage],
  ];
  return new Environment(values.map(([key, value]) => [key, buildArgs.get(key) ?? value]));
}

/** The ARGs before the first FROM, each seeing those before it. Adds to `args` and notes them for the outline. */
export function applyGlobalArgs(
  args: Environment,
  commands: readonly CommandOf<'arg'>[],
  buildArgs: ReadonlyMap<string, string>,
  escapeToken: string,
  outline = new OutlineNotes(),
): void {
  for (const command of commands) {
    for (const definition of command.definitions) {
      const given = buildArgs.get(definition.key);
      const expansion =
        given !== undefined || definition.value === undefined
          ? undefined
          : atLocation(command.location, () => expand(definition.value!, args, { escape: escapeToken }));
      const value = given ?? expansion?.result;
      const dependencies = new Set(expansion?.matched);
      // What was made of its own former value is made of what that was made of.
      if (dependencies.delete(definition.key))
        for (const name of outline.args.get(definition.key)?.dependencies ?? []) dependencies.add(name);
      if (value !== undefined) args.set(definition.key, value);
      outline.args.set(definition.key, { definition, location: command.location, value: value ?? '', dependencies });
    }
  }
}

/** Warns where the default values alone give no valid image name. */
export function checkBaseNames(
  stages: readonly Stage[],
  defaults: Environment,
  commands: readonly CommandOf<'arg'>[],
  escapeToken: string,
  lint: Linter,
): void {
  const args = defaults.clone();
  try {
    applyGlobalArgs(args, commands, new Map(), escapeToken);
    for (const stage of stages) {
      const name = expand(stage.base, args, { escape: escapeToken }).result;
      if (!isImageName(name))
        lint.run(
          LINT_RULES.invalidDefaultArgInFrom,
          stage.location,
          `Default value for ARG ${stage.base} results in empty or invalid base image name`,
        );
    }
  } catch {
    // What cannot be expanded fails the build itself.
  }
}

function isImageName(name: string): boolean {
  try {
    parseImageReference(name);
    return true;
  } catch {
    return false;
  }
}
