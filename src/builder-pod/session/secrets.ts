import { type AbortOptions, CodedError, toCodedError } from '../../base/index.ts';
import { clientOf, Secrets, type SessionRegistry } from '../../builder-api/index.ts';
import { type SessionIds, withAnySession } from './group.ts';

/** Largest secret taken. */
const MAX_SECRET_BYTES = 500 * 1024;
/** What a message takes beside the secret. */
const FRAME_BYTES = 1024;
const TIMEOUT_MS = 60_000;

/** Secrets of build clients, asked for when a step needs them and kept nowhere. */
export class SecretProvider {
  readonly #registry: SessionRegistry;

  constructor(registry: SessionRegistry) {
    this.#registry = registry;
  }

  /** The value; undefined when no client has it. @throws CodedError resource_exhausted above 500 KiB, or when no client answers */
  async get(id: string, sessions: SessionIds, { signal }: AbortOptions): Promise<Uint8Array | undefined> {
    try {
      return await withAnySession(
        this.#registry,
        sessions,
        async (session) => {
          if (!session.supports(Secrets, Secrets.methods.getSecret)) throw absent(id);
          // What is longer is refused before it is there.
          const limits = { timeoutMs: TIMEOUT_MS, maxMessageBytes: MAX_SECRET_BYTES + FRAME_BYTES };
          const asked = clientOf(Secrets, session).getSecret({ id }, { signal, ...limits });
          const { data } = await asked.catch((error: unknown) => {
            throw toCodedError(error).message.startsWith('received message larger than max')
              ? tooLarge(id, error)
              : error;
          });
          if (data.length > MAX_SECRET_BYTES) throw tooLarge(id);
          return Uint8Array.from(data);
        },
        { signal },
      );
    } catch (error) {
      const { code, reason } = toCodedError(error);
      if (reason !== 'NO_SESSION' && (code === 'not_found' || code === 'unimplemented')) return undefined;
      throw error;
    }
  }

  /** The value of a secret that must be there. @throws CodedError not_found */
  async require(id: string, sessions: SessionIds, options: AbortOptions): Promise<Uint8Array> {
    const value = await this.get(id, sessions, options);
    if (value === undefined)
      throw CodedError.of('SECRET_MISSING', `secret ${id}: not found`, {
        hint: `give it to the build, e.g. buildctl --secret id=${id},src=FILE`,
      });
    return value;
  }
}

function tooLarge(id: string, cause?: unknown): CodedError {
  return new CodedError('resource_exhausted', `secret ${id} is larger than ${MAX_SECRET_BYTES} bytes`, {
    fault: 'user',
    cause,
  });
}

function absent(id: string): CodedError {
  return new CodedError('not_found', `secret ${id}: the client serves no secrets`);
}
