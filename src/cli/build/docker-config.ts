import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { CliIo } from '../io.ts';

/** Text of the docker config.json, if there is one. */
export function readDockerConfig(io: CliIo): string | undefined {
  try {
    return readFileSync(path.join(io.env['DOCKER_CONFIG'] ?? path.join(io.home, '.docker'), 'config.json'), 'utf8');
  } catch {
    // None, or not for us to read: registries are then used anonymously.
    return undefined;
  }
}
