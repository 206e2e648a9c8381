import { hostPlatform, neverAborted, silentLogger } from '../../../base/index.ts';
import { SessionRegistry } from '../../../builder-api/index.ts';
import { type Builder, openBuilder } from '../index.ts';

/** A builder whose state lies in `root`, closed with `cleanup` at the latest. Its steps reach no network, and no more than its options say is as a daemon would have it. */
export async function openTestBuilder(
  root: string,
  cleanup: AsyncDisposableStack,
  options: Partial<Parameters<typeof openBuilder>[0]> = {},
): Promise<Builder> {
  const sessions = cleanup.use(new SessionRegistry({ logger: silentLogger }));
  const usual = { labels: {}, entitlements: new Set<string>(), registries: {}, platforms: [hostPlatform()] };
  return cleanup.use(
    await openBuilder(
      { root, sessions, ...usual, maxParallelism: 0, network: 'none', log: silentLogger, ...options },
      { signal: neverAborted },
    ),
  );
}
