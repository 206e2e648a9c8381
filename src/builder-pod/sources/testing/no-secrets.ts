import type { SourceSecrets } from '../source.ts';

/** No build brings secrets. */
export const noSecrets: SourceSecrets = { secret: async () => undefined, sshAgent: async () => undefined };
