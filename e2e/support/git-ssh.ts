import { chmodSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { userInfo } from 'node:os';
import path from 'node:path';
import { freePort } from './ports.ts';
import { must } from './run.ts';
import { startService } from './service.ts';

/** An sshd on loopback that lets one key in, for git over ssh. */
export interface SshServer extends AsyncDisposable {
  /** `ssh://user@127.0.0.1:port`, to be followed by an absolute path of this machine. */
  readonly url: string;
  /** PEM of the private key that is let in. */
  readonly privateKey: string;
  /** Line for known_hosts. */
  readonly knownHosts: string;
}

export async function startSshServer(folder: string): Promise<SshServer> {
  const at = (name: string) => path.join(folder, `ssh-${name}`);
  const keygen = (name: string) => must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  await keygen('host');
  await keygen('user');
  copyFileSync(`${at('user')}.pub`, at('authorized'));
  // sshd refuses an AuthorizedKeysFile below folders that others may enter only in part.
  chmodSync(folder, 0o755);
  // Debian's sshd wants its separation directory, which only the service makes.
  mkdirSync('/run/sshd', { recursive: true });
  const port = await freePort();
  const options = {
    ListenAddress: '127.0.0.1',
    Port: String(port),
    HostKey: at('host'),
    AuthorizedKeysFile: at('authorized'),
    PidFile: 'none',
    StrictModes: 'no',
    UsePAM: 'no',
    PermitRootLogin: 'yes',
    PasswordAuthentication: 'no',
    AcceptEnv: 'GIT_PROTOCOL',
  };
  const service = startService(
    '/usr/sbin/sshd',
    ['-D', '-e', '-f', '/dev/null', ...Object.entries(options).flatMap(([k, v]) => ['-o', `${k}=${v}`])],
    { logFile: at('log') },
  );
  await service.ready(() => answers(port));
  const hostKey = readFileSync(`${at('host')}.pub`, 'utf8')
    .split(' ')
    .slice(0, 2)
    .join(' ');
  return {
    url: `ssh://${userInfo().username}@127.0.0.1:${port}`,
    privateKey: readFileSync(at('user'), 'utf8'),
    knownHosts: `[127.0.0.1]:${port} ${hostKey}\n`,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
