import { getPackedSettings, type Http2Session, type SessionOptions } from 'node:http2';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WorkOwner } from '../../base/index.ts';
import { peerProcess } from '../../sys/index.ts';

/** Largest header list taken, as BuildKit's own endpoints have it. */
const MAX_HEADER_LIST_BYTES = 1_048_896;
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 4 * 1024 * 1024;
const SETTINGS_FRAME = 4;

/**
 * The fixed http2 options of both roles (tunnel-facts 2 and 7.2): node's defaults refuse long ignore lists (128 pairs, 64 KB blocks)
 * and end a connection whose peer reads slowly (10 MB of session memory). Queues are bounded by flow control instead.
 */
export function http2Options(): SessionOptions {
  return {
    maxSendHeaderBlockLength: 4 * 1024 * 1024,
    maxSessionMemory: 1000,
    maxHeaderListPairs: 8000,
    settings: {
      enablePush: false,
      initialWindowSize: STREAM_WINDOW,
      maxConcurrentStreams: 250,
      maxHeaderListSize: MAX_HEADER_LIST_BYTES,
      maxFrameSize: 256 * 1024,
    },
  };
}

/** What the client's end of a connection says first, byte for byte as node:http2 says it with these options: the preface and its SETTINGS. */
export function clientPreamble(): Uint8Array {
  const settings = getPackedSettings(http2Options().settings ?? {});
  const header = Buffer.alloc(9);
  header.writeUIntBE(settings.length, 0, 3);
  header[3] = SETTINGS_FRAME;
  return Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), header, settings]);
}

/** Widens the connection's window; call in 'session' (server) or after 'connect' (client). */
export function widenConnectionWindow(session: Http2Session): void {
  if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW);
}

/**
 * Ends a connection over a stream that is no socket when the other end has ended it; call before node:http2 gets the stream. By itself it would end its own side first, and what it writes after that
 * (GOAWAY) is a failed assertion of Node's (internal/js_stream_socket) that nobody can catch.
 */
export function endWithStream(stream: Duplex, session: () => Http2Session): void {
  if (!(stream instanceof Socket)) stream.once('end', () => session().destroy());
}

/** What is known of the other end. */
export interface Peer {
  readonly transport: 'unix' | 'tcp' | 'tunnel';
  /** `host:port`, or the socket's path as far as known. */
  readonly address: string;
  /** Common name of the client certificate, when mutual TLS verified one. */
  readonly commonName?: string;
  /** Whose connection it is, as far as can be told: of a certificate, a host, or a unix socket, and of that which connection or process. */
  readonly owner: WorkOwner;
}

let connections = 0;

/** The other end of a connection inside another. */
export function tunnelPeer(): Peer {
  return { transport: 'tunnel', address: 'tunnel', owner: { tenant: 'tunnel', build: `connection ${++connections}` } };
}

/** Whose a connection is, before it has said anything: the host that it comes from, or all who may use the unix socket, and of those the process. */
export function originOf(socket: Duplex & { readonly remoteAddress?: string | undefined }): WorkOwner {
  const connection = `connection ${++connections}`;
  if (socket.remoteAddress !== undefined) return { tenant: `host ${socket.remoteAddress}`, build: connection };
  const process = peerProcess(socket);
  return { tenant: 'unix', build: process === undefined ? connection : `process ${process}` };
}

/** Reads peer data of an accepted socket. */
export function peerOf(socket: Duplex): Peer {
  const s = socket as Duplex & {
    remoteAddress?: string;
    remotePort?: number;
    authorized?: boolean;
    getPeerCertificate?: () => { subject?: { CN?: string | string[] } };
  };
  const origin = originOf(s);
  if (s.remoteAddress === undefined) return { transport: 'unix', address: 'unix', owner: origin };
  const name = s.authorized === true ? s.getPeerCertificate?.().subject?.CN : undefined;
  const commonName = Array.isArray(name) ? name[0] : name;
  return {
    transport: 'tcp',
    address: `${s.remoteAddress}:${s.remotePort ?? 0}`,
    ...(commonName === undefined ? {} : { commonName }),
    owner: commonName === undefined ? origin : { ...origin, tenant: `certificate ${commonName}` },
  };
}
