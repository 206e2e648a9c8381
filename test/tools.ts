import { homedir } from 'node:os';
import path from 'node:path';

/** The folder that scripts/setup.sh fills. */
export const cache =
  process.env['SLIPWAY_CACHE'] ?? path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'slipway');

/** A program that the set-up has built: BuildKit's own daemon and client, the conformance suite, a cluster's control plane. */
export function tool(name: string): string {
  return path.join(cache, 'tools', name);
}
