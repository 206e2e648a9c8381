import { CodedError, invalidArgument } from '../../base/index.ts';
import { Auth, type GrpcServer, Secrets, serveDirectories } from '../../builder-api/index.ts';
import { anonymous, dockerConfigCredentials } from '../../oci/registry-client/index.ts';

export interface SessionSources {
  /** Folders by the name of the local source. */
  readonly folders: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** Text of a docker config.json. */
  readonly dockerConfig: string | undefined;
}

/** What a builder may ask this machine for during a build: the named folders, the named secrets, registry credentials. */
export function registerSessionServices(server: GrpcServer, sources: SessionSources): void {
  serveDirectories(server, sources.folders);
  server.register(Secrets, {
    getSecret: ({ id }) => {
      const data = sources.secrets.get(id);
      if (data === undefined) throw new CodedError('not_found', `secret ${id} not found`);
      return { data };
    },
  });
  const provider = sources.dockerConfig === undefined ? anonymous : dockerConfigCredentials(sources.dockerConfig);
  server.register(Auth, {
    credentials: async ({ host }, { signal }) => {
      const found = await provider.credentials(host, { signal });
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
    },
  });
}
