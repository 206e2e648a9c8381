import { isIP } from 'node:net';
import { invalidArgument } from '../../base/index.ts';
import type { ExecMeta } from '../../llb/index.ts';

export const DEFAULT_HOSTNAME = 'buildkitsandbox';

/** /etc/hosts of a step. @throws CodedError invalid_argument for an entry that is no name and address. */
export function hostsFile(hostname: string, extraHosts: ExecMeta['extraHosts']): string {
  const lines = [`127.0.0.1\tlocalhost ${hostname}`, '::1\tlocalhost ip6-localhost ip6-loopback'];
  for (const { host, ip } of extraHosts) {
    if (isIP(ip) === 0 || !/^[^\s#]+$/.test(host)) throw invalidArgument(`invalid extra host ${host}=${ip}`);
    lines.push(`${ip}\t${host}`);
  }
  return `${lines.join('\n')}\n`;
}
