import { posix } from 'node:path';
import { invalidArgument } from '../../base/index.ts';

export interface GitRemote {
  /** What git fetches from: the URL without fragment. */
  readonly url: string;
  readonly host: string;
  /** With a leading slash. */
  readonly path: string;
  readonly ssh: boolean;
}

const SCP = /^([a-zA-Z0-9-_.]+@)?([a-zA-Z0-9-.]+):(?!\/\/)(.+)$/;

/** `https://`, `http://`, `ssh://`, `git://`, `user@host:path`; without a protocol it is https. @throws CodedError invalid_argument */
export function parseGitUrl(text: string): GitRemote {
  const scp = SCP.exec(text);
  if (scp && !/^[a-z]+:\/\//i.test(text)) {
    const path = scp[3]!.replace(/#.*$/, '');
    return { url: `${scp[1] ?? ''}${scp[2]}:${path}`, host: scp[2]!, path: posix.join('/', path), ssh: true };
  }
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (!url || !['https:', 'http:', 'ssh:', 'git:'].includes(url.protocol) || url.host === '')
    throw invalidArgument(`invalid git URL ${JSON.stringify(text)}`, {
      hint: 'Use https://host/path.git, ssh://user@host/path or user@host:path.',
    });
  return {
    url: full.replace(/#.*$/, ''),
    host: url.host,
    path: posix.join('/', decodeURIComponent(url.pathname)),
    ssh: url.protocol === 'ssh:',
  };
}
