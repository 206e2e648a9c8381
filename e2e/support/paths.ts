import { homedir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');
export const slipway = path.join(root, 'bin/slipway');
export const buildkitd = path.join(root, 'bin/buildkitd');
/** The folder that scripts/setup.sh fills. */
export const cache =
  process.env['SLIPWAY_CACHE'] ?? path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'slipway');
export const buildctl = path.join(cache, 'tools/buildctl');
