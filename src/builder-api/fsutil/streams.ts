import type { RawCall } from '../grpc/channel.ts';
import { MessageQueue } from '../grpc/messages.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { decodePacket, encodePacket, type FsPacket, type PacketStream } from './packets.ts';

/** The packets of a call that we made. */
export function packetsOfCall(call: RawCall): PacketStream {
  return {
    packets: decoded(call.responses),
    send: (packet) => call.write(encodePacket(packet)),
  };
}

async function* decoded(messages: AsyncIterable<Uint8Array>): AsyncIterable<FsPacket> {
  for await (const message of messages) yield decodePacket(message);
}

/** The packets of a call that we serve. */
export function packetsOfServerCall(call: ServerCall): PacketStream {
  const queue = new MessageQueue<FsPacket>(call);
  call.signal.addEventListener('abort', () => queue.finish(call.signal.reason, true), { once: true });
  call.read({
    onMessage: (message) => queue.push(decodePacket(message), message.length),
    onEnd: () => queue.finish(),
    onError: (error) => queue.finish(error),
  });
  return {
    packets: queue,
    send: (packet) => (call.write(encodePacket(packet)) ? undefined : call.drained()),
  };
}
