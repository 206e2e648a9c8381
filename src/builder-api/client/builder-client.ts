import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { type AbortOptions, invalidArgument } from '../../base/index.ts';
import type { Channel } from '../grpc/channel.ts';
import { type Client, clientOf } from '../grpc/channel.ts';
import { Health } from '../services/common.ts';
import { Control } from '../services/control.ts';
import { LLBBridge } from '../services/gateway.ts';
import { type HostedSession, type HostSessionOptions, hostSession } from '../session/host.ts';
import { GrpcJsChannel } from './grpc-js-channel.ts';

/** PEM files: the builder's CA, and our certificate where the builder wants one. */
export interface ClientTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name to expect in the builder's certificate instead of its host. */
  readonly serverName?: string;
}

/** A builder, seen by the command or the operator. */
export interface BuilderClient extends AsyncDisposable {
  readonly channel: Channel;
  readonly control: Client<typeof Control>;
  readonly gateway: Client<typeof LLBBridge>;
  readonly health: Client<typeof Health>;
  /** Opens a session and serves in it what `register` registers. */
  hostSession(options: HostSessionOptions): HostedSession;
  /** Settles once the builder answers. */
  ready(options: AbortOptions & { readonly timeoutMs: number }): Promise<void>;
}

/** Connects to `unix://path` or `tcp://host:port` when first used, and again after a loss. @throws CodedError invalid_argument */
export function openBuilderClient(address: string, tls?: ClientTls): BuilderClient {
  const channel = new GrpcJsChannel(
    targetOf(address),
    tls === undefined
      ? grpc.credentials.createInsecure()
      : grpc.credentials.createSsl(read(tls.ca), read(tls.key), read(tls.cert)),
    {
      ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
      ...(address.startsWith('unix:') ? { 'grpc.default_authority': 'localhost' } : {}),
    },
  );
  return {
    channel,
    control: clientOf(Control, channel),
    gateway: clientOf(LLBBridge, channel),
    health: clientOf(Health, channel),
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

function read(path: string | undefined): Buffer | null {
  return path === undefined ? null : readFileSync(path);
}
