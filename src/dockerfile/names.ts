import { formatPlatform, normalizePlatform, type Platform, parsePlatform } from '../base/index.ts';
import { crossSuffix } from './platform-tools.ts';
import { type EnvLookup, expand, type LexOptions } from './shell-lex.ts';
import type { StageState } from './stage-state.ts';

/** Under this key a step's description has the instruction as it is written. */
export const COMMAND = 'com.docker.dockerfile.v1.command';

interface StepNameOptions {
  readonly onBuild: boolean;
  /** Several platforms are built, so each name says which. */
  readonly multiPlatform: boolean;
}

/** `[builder 2/5] RUN …`: counts the step. A stage without steps shows no brackets. */
export function stepName(
  state: StageState,
  text: string,
  platform: Platform | undefined,
  options: StepNameOptions,
): string {
  if (state.stepsTotal === 0) return text;
  let name = '[';
  if (options.multiPlatform && platform !== undefined)
    name += `${formatPlatform(platform)}${crossSuffix(platform, targetOf(state.env, platform))} `;
  if (state.displayName !== '') name += `${state.displayName} `;
  state.step += 1;
  const width = String(state.stepsTotal).length;
  name += `${String(state.step).padStart(width)}/${state.stepsTotal}] `;
  return `${name}${options.onBuild ? 'ONBUILD ' : ''}${text}`;
}

/** The instruction with its variables filled in and the keyword in upper case; as written where that fails. */
export function displayText(code: string, env: EnvLookup, options: LexOptions): string {
  let text = code;
  try {
    text = expand(code, env, options).result;
  } catch {
    // Shown as written.
  }
  const blank = text.indexOf(' ');
  return blank < 0 ? text.toUpperCase() : text.slice(0, blank).toUpperCase() + text.slice(blank);
}

/** What a cross build makes things for, by the TARGET… arguments that the stage declared. */
function targetOf(env: EnvLookup, base: Platform): Platform | undefined {
  let os: string | undefined;
  let architecture: string | undefined;
  let variant: string | undefined;
  for (const key of env.keys()) {
    const value = env.get(key) ?? '';
    if (key === 'TARGETPLATFORM') {
      try {
        return parsePlatform(value);
      } catch {
        continue;
      }
    }
    if (key === 'TARGETOS') os = value;
    if (key === 'TARGETARCH') architecture = value;
    if (key === 'TARGETVARIANT') variant = value;
  }
  if (os === undefined && architecture === undefined && variant === undefined) return undefined;
  return normalizePlatform({
    os: os || base.os,
    architecture: architecture || base.architecture,
    ...(variant ? { variant } : {}),
  });
}
