import { type AbortOptions, toCodedError } from '../../base/index.ts';
import { clientOf, Exporter, type Session, type SessionRegistry } from '../../builder-api/index.ts';

const TIMEOUT_MS = 60_000;
/** Outputs that a client may name. */
const MAX_EXPORTERS = 20;

interface NamedExporter {
  readonly type: string;
  readonly attrs: Readonly<Record<string, string>>;
}

/** What a client is shown of the result that it is to name outputs for. */
interface ShownResult {
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  readonly refs: readonly string[];
}

const exporterOf = (session: Session) => clientOf(Exporter, session);
type ExporterClient = ReturnType<typeof exporterOf>;

/** Outputs that clients name once they have seen the result, and are told the end of. */
export class SessionExports {
  readonly #registry: SessionRegistry;

  constructor(registry: SessionRegistry) {
    this.#registry = registry;
  }

  /** None from a client that does not serve this. @throws CodedError */
  async find(
    session: string,
    { metadata, refs }: ShownResult,
    { signal }: AbortOptions,
  ): Promise<readonly NamedExporter[]> {
    const found = await this.#ask(session, signal, (client) =>
      client.findExporters(
        { metadata: Object.fromEntries(metadata), refs: [...refs] },
        { signal, timeoutMs: TIMEOUT_MS },
      ),
    );
    return (found?.exporters ?? [])
      .slice(0, MAX_EXPORTERS)
      .map(({ type, attrs }) => ({ type: type ?? '', attrs: { ...attrs } }));
  }

  /** Tells the client what the outputs answer. @throws CodedError */
  async finalize(session: string, response: Readonly<Record<string, string>>, { signal }: AbortOptions): Promise<void> {
    await this.#ask(session, signal, (client) =>
      client.finalizeExport({ exporterResponse: { ...response } }, { signal, timeoutMs: TIMEOUT_MS }),
    );
  }

  async #ask<T>(id: string, signal: AbortSignal, call: (client: ExporterClient) => Promise<T>): Promise<T | undefined> {
    const session: Session = await this.#registry.get(id, { signal });
    try {
      return await call(exporterOf(session));
    } catch (error) {
      signal.throwIfAborted();
      const { code } = toCodedError(error);
      if (code === 'unimplemented' || code === 'unavailable') return undefined;
      throw error;
    }
  }
}
