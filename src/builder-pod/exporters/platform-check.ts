import { formatPlatform, type Platform, parsePlatform } from '../../base/index.ts';
import { platformList } from './inputs.ts';
import type { ExportSource } from './ports.ts';

/**
 * What is wrong with a result's platforms when these were asked for, as warnings: a frontend may ignore the option, or mean something else by it. Nothing for a
 * result that is no file system. @throws CodedError invalid_argument for a malformed list of platforms
 */
export function platformWarnings(source: ExportSource, requested: readonly string[]): string[] {
  const isMap = (source.refs?.size ?? 0) > 0;
  if (!source.metadata.has('refs.platforms') && (isMap || source.ref === undefined)) return [];
  const { platforms: asked, warnings } = readRequest(requested);
  if (warnings.length > 0) return warnings;
  const made = platformList(source).map(({ platform }) => platform);
  const [onlyAsked] = asked;
  const [onlyMade] = made;
  if (asked.length === 1 && made.length === 1)
    return matches(onlyAsked!, onlyMade!)
      ? []
      : [
          `Requested platform ${quoted(requested[0]!)} does not match result platform ${quoted(formatPlatform(onlyMade!))}`,
        ];
  if (!isMap && asked.length > 1) return ['Multiple platforms requested but result is not multi-platform'];
  const fits = asked.length === made.length && made.every((one) => asked.some((other) => matches(other, one)));
  return fits ? [] : [`Requested platforms ${list(asked)} do not match result platforms ${list(made)}`];
}

function readRequest(requested: readonly string[]): { platforms: readonly Platform[]; warnings: string[] } {
  const platforms = new Map<string, Platform>();
  const warnings: string[] = [];
  for (const text of requested) {
    let platform: Platform;
    try {
      platform = parsePlatform(text);
    } catch (error) {
      warnings.push(`Invalid platform result requested ${quoted(text)}: ${(error as Error).message}`);
      continue;
    }
    const key = formatPlatform(platform);
    if (platforms.has(key)) warnings.push(`Duplicate platform result requested ${quoted(text)}`);
    platforms.set(key, platform);
  }
  return { platforms: [...platforms.values()], warnings };
}

/** A version of the system matters only where one was asked for. */
function matches(asked: Platform, made: Platform): boolean {
  const { 'os.version': _, ...anyVersion } = made;
  return [made, anyVersion].some((one) => formatPlatform(one) === formatPlatform(asked));
}

function list(platforms: readonly Platform[]): string {
  return platforms.map(formatPlatform).sort().join(',');
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
