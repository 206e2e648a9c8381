import type { ExecMeta } from '../../llb/index.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * A step's environment: its own, PATH where it sets none, then the proxy variables in both cases. The first of a name is what programs
 * see, so an own proxy variable wins. TERM only with a terminal. HOME comes from the runtime, by the user's entry.
 */
export function stepEnvironment(
  { env, proxyEnv }: Pick<ExecMeta, 'env' | 'proxyEnv'>,
  { terminal }: { readonly terminal: boolean },
): string[] {
  const result = [...env];
  const has = (name: string) => result.some((entry) => entry.startsWith(`${name}=`));
  if (!has('PATH')) result.push(`PATH=${DEFAULT_PATH}`);
  if (terminal && !has('TERM')) result.push('TERM=xterm');
  if (proxyEnv === undefined) return result;
  const proxies = {
    HTTP_PROXY: proxyEnv.httpProxy,
    HTTPS_PROXY: proxyEnv.httpsProxy,
    FTP_PROXY: proxyEnv.ftpProxy,
    NO_PROXY: proxyEnv.noProxy,
    ALL_PROXY: proxyEnv.allProxy,
  };
  for (const [name, value] of Object.entries(proxies)) {
    if (value !== '') result.push(`${name}=${value}`, `${name.toLowerCase()}=${value}`);
  }
  return result;
}
