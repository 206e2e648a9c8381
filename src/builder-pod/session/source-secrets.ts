import { type AbortOptions, RESERVED_SECRETS, type WorkOptions } from '../../base/index.ts';
import type { SessionRegistry } from '../../builder-api/index.ts';
import type { WorkerPool } from '../../sys/index.ts';
import { SecretProvider } from './secrets.ts';
import { AgentForwarder, type AgentSocket } from './ssh-agent.ts';

/** Secrets and agents in the form that sources ask for them. */
export class SessionSecrets {
  readonly #secrets: SecretProvider;
  readonly #agents: AgentForwarder;

  /** Agent sockets are made below `directory`. */
  constructor(registry: SessionRegistry, directory: string, pool: WorkerPool) {
    this.#secrets = new SecretProvider(registry);
    this.#agents = new AgentForwarder(registry, directory, pool);
  }

  /** For steps and sources, which a Dockerfile writes: what is reserved is not there for them. */
  async secret(id: string, sessions: readonly string[], options: AbortOptions): Promise<Uint8Array | undefined> {
    return id.startsWith(RESERVED_SECRETS) ? undefined : await this.any(id, sessions, options);
  }

  /** For the builder itself, e.g. a signing key. */
  async any(id: string, sessions: readonly string[], options: AbortOptions): Promise<Uint8Array | undefined> {
    return sessions.length === 0 ? undefined : await this.#secrets.get(id, () => sessions, options);
  }

  async sshAgent(id: string, sessions: readonly string[], options: WorkOptions): Promise<AgentSocket | undefined> {
    return sessions.length === 0 ? undefined : await this.#agents.open(id, () => sessions, options);
  }
}
