import type { ProxyEnv } from '../llb/op.ts';

/** What an SBOM tells of beside the result: the build context of a stage, and stages themselves. */
export const SCAN_CONTEXT = 'BUILDKIT_SBOM_SCAN_CONTEXT';
export const SCAN_STAGE = 'BUILDKIT_SBOM_SCAN_STAGE';

/** The proxies that build arguments set, in either case; they reach steps without becoming part of the cache key. */
export function proxyOf(buildArgs: ReadonlyMap<string, string>): ProxyEnv | undefined {
  const proxy = { httpProxy: '', httpsProxy: '', ftpProxy: '', noProxy: '', allProxy: '' };
  const members: Readonly<Record<string, keyof ProxyEnv>> = {
    http_proxy: 'httpProxy',
    https_proxy: 'httpsProxy',
    ftp_proxy: 'ftpProxy',
    no_proxy: 'noProxy',
    all_proxy: 'allProxy',
  };
  let given = false;
  for (const key of [...buildArgs.keys()].sort()) {
    const member = Object.hasOwn(members, key.toLowerCase()) ? members[key.toLowerCase()] : undefined;
    if (member === undefined) continue;
    proxy[member] = buildArgs.get(key)!;
    given = true;
  }
  return given ? proxy : undefined;
}
