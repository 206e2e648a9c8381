import { type AbortOptions, CodedError, type Descriptor, type Digest, newId, toCodedError } from '../../base/index.ts';
import { Content, clientOf, inTime, Metadata, type Session, toNumber, wire } from '../../builder-api/index.ts';

/** Bytes in one message. */
const PIECE = 256 * 1024;
const STORE_METADATA = 'buildkit-attachable-store-id';
const { STAT, WRITE, COMMIT } = wire.containerd.services.content.v1.WriteAction;

type WriteRequest = wire.containerd.services.content.v1.WriteContentRequest.$Properties;

/** One of the content stores that a client offers: `export` for results, `local:<directory>` for caches. */
interface ClientContent {
  has(descriptor: Pick<Descriptor, 'digest'>, options: AbortOptions): Promise<boolean>;
  /** Bytes of a blob; undefined where it is not there. */
  size(digest: Digest, options: AbortOptions): Promise<number | undefined>;
  /** @throws CodedError not_found, data_loss for another size than is said */
  open(descriptor: Pick<Descriptor, 'digest' | 'size'>, options: AbortOptions): Promise<ReadableStream<Uint8Array>>;
  /** @throws CodedError; content that is there already is fine */
  write(descriptor: Descriptor, content: ReadableStream<Uint8Array>, options: AbortOptions): Promise<void>;
}

/** Undefined when the client offers no stores. Whether it has this one shows when it is used. */
export function clientContent(session: Session, store: string): ClientContent | undefined {
  if (!session.supports(Content, Content.methods.write)) return undefined;
  const content = clientOf(Content, session);
  const metadata = new Metadata().add(STORE_METADATA, store);
  const { stallMs } = session.limits;

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
      const answered = Promise.all([call.write(request), answers.next()]);
      const [, { value, done }] = await inTime(answered, `not gone on with the transfer of ${digest}`, stallMs);
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

  /** The client says where each piece belongs: out of order, it is none. */
  async function* pieces({ digest, size }: Pick<Descriptor, 'digest' | 'size'>, signal: AbortSignal) {
    let at = 0;
    const wrong = (why: string) => new CodedError('data_loss', `the client's store ${store}: blob ${digest} ${why}`);
    for await (const { offset, data } of content.read({ digest }, { signal, metadata })) {
      if (toNumber(offset) !== at) throw wrong(`came out of order at ${at}`);
      at += data?.length ?? 0;
      if (at > size) throw wrong(`has more than its ${size} bytes`);
      if (data != null && data.length > 0) yield data;
    }
    if (at < size) throw wrong(`has ${at} bytes, not ${size}`);
  }

  async function size(digest: Digest, { signal }: AbortOptions): Promise<number | undefined> {
    try {
      const { info } = await content.info({ digest }, { signal, metadata, timeoutMs: stallMs });
      return toNumber(info?.size);
    } catch (error) {
      if (toCodedError(error).code === 'not_found') return undefined;
      throw error;
    }
  }

  return {
    has: async ({ digest }, options) => (await size(digest, options)) !== undefined,
    size,
    open: async (descriptor, { signal }) => {
      signal.throwIfAborted();
      const abandon = new AbortController();
      const source = pieces(descriptor, AbortSignal.any([signal, abandon.signal]));
      return new ReadableStream<Uint8Array>(
        {
          pull: async (controller) => {
            const { value, done } = await source.next();
            if (done === true) controller.close();
            else controller.enqueue(value);
          },
          cancel: async (reason) => {
            abandon.abort(reason);
            await source.return(undefined).catch(() => {});
          },
        },
        { highWaterMark: 0 },
      );
    },
    write,
  };
}
