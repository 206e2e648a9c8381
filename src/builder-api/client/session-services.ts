import { type AbortOptions, CodedError, invalidArgument } from '../../base/index.ts';
import { serveDirectories } from '../fsutil/index.ts';
import type { GrpcServer } from '../grpc/index.ts';
import { Auth, RepositoryAuth, Secrets, SSH, SSH_ID_METADATA } from '../services/index.ts';
import type { DockerCredentials, DockerCredentialsOf } from './docker-config.ts';
import { serveAgent } from './ssh-agent.ts';
import type { SshKey } from './ssh-key.ts';

/** What a builder may ask a client for during a build; nothing else is told. */
export interface SessionSources {
  /** Folders by the name of the local source. */
  readonly folders?: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly credentials?: DockerCredentialsOf | undefined;
  /** Of single repositories, by host and name: undefined for one that has those of its host. */
  readonly ofRepository?:
    | ((host: string, repository: string, options: AbortOptions) => Promise<DockerCredentials | undefined>)
    | undefined;
  /** Private keys by the id of the agent that uses them. */
  readonly sshKeys?: ReadonlyMap<string, readonly SshKey[]>;
}

export function registerSessionServices(server: GrpcServer, sources: SessionSources): void {
  const { sshKeys, credentials, ofRepository, folders } = sources;
  if (folders !== undefined) serveDirectories(server, folders);
  server.register(Secrets, {
    getSecret: ({ id }) => {
      const data = sources.secrets.get(id);
      if (data === undefined) throw new CodedError('not_found', `secret ${id} not found`);
      return { data };
    },
  });
  server.register(Auth, {
    credentials: async ({ host }, { signal }) => {
      return told((await credentials?.(host, { signal })) ?? { kind: 'anonymous' }, host);
    },
  });
  if (ofRepository !== undefined)
    server.register(RepositoryAuth, {
      credentials: async ({ host, repository }, { signal }) => {
        const found = await ofRepository(host, repository, { signal });
        return found === undefined ? {} : { own: true, ...told(found, host) };
      },
    });
  if (sshKeys === undefined || sshKeys.size === 0) return;
  const keysOf = (id: string): readonly SshKey[] => {
    const keys = sshKeys.get(id || 'default');
    if (keys === undefined) throw new CodedError('not_found', `no ssh key ${id || 'default'}`);
    return keys;
  };
  server.register(SSH, {
    checkAgent: ({ id }) => {
      keysOf(id);
      return {};
    },
    forwardAgent: async function* (requests, { metadata }) {
      for await (const data of serveAgent(requests, keysOf(metadata.get(SSH_ID_METADATA) ?? ''))) yield { data };
    },
  });
}

/** @throws CodedError invalid_argument for what a session cannot carry */
function told(found: DockerCredentials, host: string): { readonly username: string; readonly secret: string } {
  switch (found.kind) {
    case 'anonymous':
      return { username: '', secret: '' };
    case 'basic':
      return { username: found.username, secret: found.secret };
    case 'identity-token':
      return { username: '', secret: found.token };
    case 'registry-token':
      throw invalidArgument(`the credentials for ${host} are a ready token, which a session cannot carry`);
  }
}
