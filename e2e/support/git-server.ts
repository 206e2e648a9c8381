import { spawn } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { must } from './run.ts';

/** git over smart http on loopback: the real `git http-backend` behind a small CGI host. */
export interface GitServer extends AsyncDisposable {
  readonly url: string;
  /** Makes `<name>.git` with the files of a folder as its first commit; returns the commit. */
  create(name: string, from: string): Promise<string>;
  /** Changes the working copy of `<name>` by `edit`, commits and pushes; returns the commit. */
  commit(name: string, edit: (worktree: string) => void): Promise<string>;
}

const IDENTITY = ['-c', 'user.name=tester', '-c', 'user.email=tester@example.com', '-c', 'init.defaultBranch=main'];

interface GitServerOptions {
  /** Asks for basic authentication (any user name). */
  readonly password?: string;
  /** PEM: https. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export async function startGitServer(folder: string, options: GitServerOptions = {}): Promise<GitServer> {
  const repositories = path.join(folder, 'repositories');
  mkdirSync(repositories, { recursive: true });
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    serve(request, response, repositories, options.password);
  const server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const worktree = (name: string) => path.join(folder, 'worktrees', name);
  const git = async (name: string, ...args: string[]) =>
    (await must('git', ['-C', worktree(name), ...IDENTITY, ...args])).stdout.trim();
  return {
    url,
    create: async (name, from) => {
      await must('git', ['init', '-q', '--bare', '-b', 'main', path.join(repositories, `${name}.git`)]);
      cpSync(from, worktree(name), { recursive: true });
      await git(name, 'init', '-q', '-b', 'main');
      await git(name, 'add', '-A');
      await git(name, 'commit', '-qm', 'first');
      await git(name, 'push', '-q', path.join(repositories, `${name}.git`), 'main');
      return git(name, 'rev-parse', 'HEAD');
    },
    commit: async (name, edit) => {
      edit(worktree(name));
      await git(name, 'add', '-A');
      await git(name, 'commit', '-qm', 'next');
      await git(name, 'push', '-q', path.join(repositories, `${name}.git`), 'main');
      return git(name, 'rev-parse', 'HEAD');
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  repositories: string,
  password: string | undefined,
): void {
  const url = new URL(request.url ?? '/', 'http://git');
  const given = Buffer.from(request.headers.authorization?.split(' ')[1] ?? '', 'base64').toString();
  if (password !== undefined && given.split(':').slice(1).join(':') !== password) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    return;
  }
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: repositories,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: request.headers['git-protocol']?.toString() ?? '',
      REMOTE_USER: 'tester',
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(backend.stdin);
  backend.stdin.on('error', () => {});
  let head: Buffer | undefined = Buffer.alloc(0);
  backend.stdout.on('data', (chunk: Buffer) => {
    if (head === undefined) {
      response.write(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    let status = 200;
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const [name = '', ...value] = line.split(': ');
      if (name.toLowerCase() === 'status') status = Number(value.join(': ').slice(0, 3));
      else response.setHeader(name, value.join(': '));
    }
    response.writeHead(status);
    response.write(head.subarray(end + 4));
    head = undefined;
  });
  backend.stdout.on('end', () => response.end());
}
