import { parsePlatform, platformRank, RecentMap } from '../../base/index.ts';

const known = new RecentMap<string, boolean>(1000);

/** Whether a builder that tells these platforms (`os/arch[/variant]`) builds for this one, or for each of several (`a,b`): its own, one that it runs as well, or one that it emulates. */
export function matchesPlatform(platforms: readonly string[], wanted: string): boolean {
  if (wanted.includes(',')) return wanted.split(',').every((one) => matchesPlatform(platforms, one));
  return platforms.some((one) => {
    const pair = `${one} ${wanted}`;
    const before = known.get(pair);
    if (before !== undefined) return before;
    const runs = runsOn(one, wanted);
    known.set(pair, runs);
    return runs;
  });
}

function runsOn(builder: string, wanted: string): boolean {
  try {
    return platformRank(parsePlatform(builder), parsePlatform(wanted)) !== undefined;
  } catch {
    // What is no platform runs nowhere.
    return false;
  }
}
