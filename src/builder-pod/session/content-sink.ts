import { type AbortOptions, CodedError, type Descriptor, newId, toCodedError } from '../../base/index.ts';
import { Content, clientOf, Metadata, type Session, toNumber, wire } from '../../builder-api/index.ts';

/** Bytes in one message. */
const PIECE = 256 * 1024;
const STORE_METADATA = 'buildkit-attachable-store-id';
const { STAT, WRITE, COMMIT } = wire.containerd.services.content.v1.WriteAction;

type WriteRequest = wire.containerd.services.content.v1.WriteContentRequest.$Properties;

/** The client's content store for results, `export`. */
interface ContentSink {
  has(descriptor: Descriptor, options: AbortOptions): Promise<boolean>;
  /** @throws CodedError; content that is there already is fine */
  write(descriptor: Descriptor, content: ReadableStream<Uint8Array>, options: AbortOptions): Promise<void>;
}

/** Undefined when the client offers no store. */
export function contentSink(session: Session): ContentSink | undefined {
  if (!session.supports(Content, Content.methods.write)) return undefined;
  const content = clientOf(Content, session);
  const metadata = new Metadata().add(STORE_METADATA, 'export');

  async function write(
    { digest, size }: Descriptor,
    source: ReadableStream<Uint8Array>,
    { signal }: AbortOptions,
  ): Promise<void> {
    const abandon = new AbortController();
    const call = content.write({ signal: AbortSignal.any([signal, abandon.signal]), metadata });
    const answers = call.responses[Symbol.asyncIterator]();
    // Each request is answered before the next: that is the back pressure of this protocol.
    const ask = async (request: WriteRequest) => {
      await call.write(request);
      const { value, done } = await answers.next();
      if (done === true) {
        throw CodedError.of('EXPORT_CLIENT', `the build client ended the transfer of ${digest}`, {
          code: 'unavailable',
        });
      }
      return value;
    };
    try {
      const begun = await ask({ action: STAT, ref: `slipway-${newId()}-${digest}`, total: size, expected: digest });
      let offset = toNumber(begun.offset);
      if (offset !== 0) throw new CodedError('internal', `the build client has a part of ${digest} already`);
      for await (const chunk of source) {
        for (let at = 0; at < chunk.length; at += PIECE) {
          const data = chunk.subarray(at, at + PIECE);
          await ask({ action: WRITE, offset, data });
          offset += data.length;
        }
      }
      await ask({ action: COMMIT, offset, total: size, expected: digest });
      call.end();
    } catch (error) {
      const coded = toCodedError(error);
      abandon.abort(coded);
      if (!source.locked) await source.cancel().catch(() => {});
      signal.throwIfAborted();
      if (coded.code !== 'already_exists') throw coded;
    }
  }

  return {
    has: async ({ digest }, { signal }) => {
      try {
        await content.info({ digest }, { signal, metadata });
        return true;
      } catch (error) {
        if (toCodedError(error).code === 'not_found') return false;
        throw error;
      }
    },
    write,
  };
}
