import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { type AbortOptions, invalidArgument } from '../../base/index.ts';
import type { Channel } from '../grpc/channel.ts';
import { type Client, clientOf } from '../grpc/channel.ts';
import { Builder, Explainer } from '../services/builder.ts';
import { Content, Health } from '../services/common.ts';
import { Control } from '../services/control.ts';
import { LLBBridge } from '../services/gateway.ts';
import { type HostedSession, type HostSessionOptions, hostSession } from '../session/host.ts';
import { GrpcJsChannel } from './grpc-js-channel.ts';

const KEEPALIVE_MS = 20_000;

/** PEM, as the path of a file or as its contents. */
type Pem = string | Uint8Array;

/** The builder's CA, and our certificate where the builder wants one. */
export interface ClientTls {
  readonly ca?: Pem;
  readonly cert?: Pem;
  readonly key?: Pem;
  /** Name to expect in the builder's certificate instead of its host. */
  readonly serverName?: string;
}

/** A builder, seen by the command or the operator. */
export interface BuilderClient extends AsyncDisposable {
  readonly channel: Channel;
  readonly control: Client<typeof Control>;
  readonly gateway: Client<typeof LLBBridge>;
  readonly health: Client<typeof Health>;
  /** Blobs of the builder, to read. */
  readonly content: Client<typeof Content>;
  /** Slipway's own protocol. */
  readonly builder: Client<typeof Builder>;
  readonly explainer: Client<typeof Explainer>;
  /** Opens a session and serves in it what `register` registers. */
  hostSession(options: HostSessionOptions): HostedSession;
  /** Settles once the builder answers. */
  ready(options: AbortOptions & { readonly timeoutMs: number }): Promise<void>;
}

/** Connects to `unix://path` or `tcp://host:port` when first used, and again after a loss. @throws CodedError invalid_argument, also for bad PEM */
export function openBuilderClient(address: string, tls?: ClientTls): BuilderClient {
  const ip = tls === undefined || tls.serverName !== undefined ? undefined : ipOf(address);
  // TLS has no server name for an address: the name is then only there to be, and the certificate is held against the address.
  const serverName = ip === undefined ? tls?.serverName : 'address.invalid';
  const channel = new GrpcJsChannel(
    targetOf(address),
    tls === undefined ? grpc.credentials.createInsecure() : sslCredentials(tls, ip),
    {
      ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
      // Builders are reached directly, as by BuildKit's own client: proxies lead out.
      'grpc.enable_http_proxy': 0,
      // A builder whose machine is gone does not say so: calls that wait for it must end.
      ...(address.startsWith('tcp:')
        ? { 'grpc.keepalive_time_ms': KEEPALIVE_MS, 'grpc.keepalive_timeout_ms': KEEPALIVE_MS }
        : {}),
      ...(address.startsWith('unix:') ? { 'grpc.default_authority': 'localhost' } : {}),
    },
  );
  return {
    channel,
    control: clientOf(Control, channel),
    gateway: clientOf(LLBBridge, channel),
    health: clientOf(Health, channel),
    content: clientOf(Content, channel),
    builder: clientOf(Builder, channel),
    explainer: clientOf(Explainer, channel),
    hostSession: (options) => hostSession(channel, options),
    ready: (options) => channel.ready(options.timeoutMs),
    [Symbol.asyncDispose]: async () => channel.close(),
  };
}

function targetOf(address: string): string {
  if (address.startsWith('unix://')) return `unix:${address.slice('unix://'.length)}`;
  if (address.startsWith('tcp://')) return `dns:${address.slice('tcp://'.length)}`;
  throw invalidArgument(`builder address ${JSON.stringify(address)} is not understood`, {
    hint: 'use unix:///path/to.sock or tcp://host:port',
  });
}

/** The host of `tcp://host:port` where it is an IP address. */
function ipOf(address: string): string | undefined {
  const host = /^tcp:\/\/\[?(.*?)\]?:[0-9]+$/.exec(address)?.[1];
  return host !== undefined && isIP(host) !== 0 ? host : undefined;
}

function sslCredentials({ ca, key, cert }: ClientTls, ip: string | undefined): grpc.ChannelCredentials {
  try {
    return grpc.credentials.createSsl(
      read(ca),
      read(key),
      read(cert),
      ip === undefined ? {} : { checkServerIdentity: (_, peer) => checkServerIdentity(ip, peer as PeerCertificate) },
    );
  } catch (cause) {
    throw invalidArgument(`the certificates for the builder cannot be used: ${(cause as Error).message}`, {
      cause,
      hint: 'give CA, certificate and key as PEM; a certificate needs its key',
    });
  }
}

function read(pem: Pem | undefined): Buffer | null {
  if (pem === undefined) return null;
  return typeof pem === 'string' ? readFileSync(pem) : Buffer.from(pem);
}
