import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { type RequestOptions, request as tlsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import {
  type AbortOptions,
  CodedError,
  DIRECT,
  onAbort,
  type ProxySettings,
  proxyFor,
  Semaphore,
  sleep,
} from '../../base/index.ts';
import { openAgent } from '../../base/outbound-agents.ts';
import { apiError, retryAfterMs } from './api-errors.ts';
import type { CallOptions, KubeClient, KubeObject, ObjectKey, ResourceType, WatchEvent } from './ports.ts';

const CALL_MS = 30_000;
/** Bookmarks come about once a minute; a watch that is silent for longer is a dead connection. */
const WATCH_SILENCE_MS = 150_000;
const WATCH_SECONDS = 300;
/** Calls at once; more wait. */
const PARALLEL = 24;
const MAX_BODY = 512 * 1024 * 1024;
/** Times that "too many requests" is waited out before the caller is told. */
const PATIENCE = 5;
const MAX_RETRY_AFTER_MS = 30_000;
/** How far this machine's clock may be from the API server's: answers say seconds, and take some. */
const SKEW_MS = 5000;

export interface ClientMetrics {
  /** One call that was answered; `status` 0 for none. */
  request(verb: string, status: number, seconds: number): void;
}

/** For who counts no calls. */
export const UNCOUNTED: ClientMetrics = { request: () => {} };

interface Call {
  readonly verb: string;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
  readonly contentType?: string;
  /** Asks for this protocol; its stream is given to `onUpgrade`. */
  readonly protocol?: string;
}

/** What a user's command needs beside: answers that are no objects. */
export interface StreamingKubeClient extends KubeClient {
  /** @throws CodedError as other calls */
  stream(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    options: AbortOptions,
  ): AsyncIterable<Uint8Array>;
  /** A POST that becomes a stream of another protocol. @throws CodedError as other calls */
  upgrade(
    path: string,
    options: AbortOptions & {
      readonly protocol: string;
      readonly query: Readonly<Record<string, string | undefined>>;
    },
  ): Promise<Duplex>;
}

/**
 * A client on the addresses and credentials of a kubeconfig or of the pod's account (tokens are read again when they turn). The library loads those; the calls are
 * made here, since it has no paging, no watch with a deadline and no server-side apply over one keep-alive agent.
 */
export function openKubeClient(
  config: KubeConfig,
  metrics: ClientMetrics,
  proxies: ProxySettings = DIRECT,
): StreamingKubeClient & Disposable {
  const server = new URL(config.getCurrentCluster()?.server ?? 'https://kubernetes.default.svc');
  const calls = new Semaphore(PARALLEL);
  let skewMs = 0;
  let pooled: { readonly of: string; readonly agent: Agent } | undefined;

  /** Credentials as they are now, on one agent for as long as the certificates stay. */
  async function connection(): Promise<RequestOptions> {
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    if (config.getCurrentCluster()?.proxyUrl === undefined) {
      const of = JSON.stringify([ca, cert, key, servername, rejectUnauthorized].map((part) => part?.toString()));
      if (pooled?.of !== of) {
        pooled?.agent.destroy();
        const tls = { ca, cert, key, servername, rejectUnauthorized };
        const defined = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
        const keep = { keepAlive: true, maxSockets: 2 * PARALLEL };
        const agent = openAgent(proxyFor(server, proxies), server.protocol === 'https:', { ...keep, ...defined });
        pooled = { of, agent };
      }
      options.agent = pooled.agent;
    }
    return options;
  }

  async function open(call: Call, signal: AbortSignal, onUpgrade?: (stream: Duplex) => void): Promise<IncomingMessage> {
    // Credentials may come from a program, or a file that does not answer.
    using ended = onAbort(signal);
    const { headers, ...options } = await Promise.race([connection(), ended.promise]);
    const url = new URL(server);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${call.path}`;
    for (const [name, value] of Object.entries(call.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, value);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const send = server.protocol === 'http:' ? httpRequest : tlsRequest;
    const request = send(url, {
      ...options,
      method: call.method,
      signal,
      headers: {
        ...headers,
        accept: 'application/json',
        'user-agent': 'slipway-operator',
        ...(call.protocol === undefined ? {} : { connection: 'Upgrade', upgrade: call.protocol, 'content-length': 0 }),
        ...(body === undefined
          ? {}
          : { 'content-type': call.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    });
    request.once('response', (response) => {
      const skew = Date.parse(response.headers.date ?? '') - Date.now();
      skewMs = Math.abs(skew) > SKEW_MS ? skew : 0;
      resolve(response);
    });
    request.once('upgrade', (response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      onUpgrade?.(socket);
      resolve(response);
    });
    // Also of a connection that breaks after the answer began: its reader tells.
    request.on('error', reject);
    request.end(body);
    return await promise;
  }

  const what = (call: Call) => `${call.method} ${call.path}`;
  const connectionError = (call: Call, error: unknown, signal: AbortSignal): CodedError => {
    if (signal.aborted && signal.reason instanceof CodedError) return signal.reason;
    if (error instanceof CodedError) return error;
    return CodedError.of('KUBE_CONNECTION', `${what(call)}: ${(error as Error).message}`, { cause: error });
  };

  async function once(
    call: Call,
    { signal, urgent }: CallOptions,
  ): Promise<{ response: IncomingMessage; body: string }> {
    using _place = urgent ? undefined : await calls.acquire({ signal });
    const timeout = AbortSignal.timeout(CALL_MS);
    const started = performance.now();
    let status = 0;
    try {
      const response = await open(call, AbortSignal.any([signal, timeout]));
      status = response.statusCode ?? 0;
      return { response, body: await readAll(response) };
    } catch (error) {
      throw connectionError(call, error, signal);
    } finally {
      metrics.request(call.verb, status, (performance.now() - started) / 1000);
    }
  }

  const send = async (call: Call, options: CallOptions): Promise<unknown> => {
    const body = await sendRaw(call, options);
    return body === '' ? {} : (JSON.parse(body) as unknown);
  };

  async function sendRaw(call: Call, options: CallOptions): Promise<string> {
    for (let tries = 1; ; tries++) {
      const { response, body } = await once(call, options);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return body;
      const wait = retryAfterMs(response.headers['retry-after'], body);
      if (status !== 429 || wait === undefined || options.urgent || tries > PATIENCE)
        throw apiError(what(call), status, body);
      await sleep(Math.min(wait, MAX_RETRY_AFTER_MS), options);
    }
  }

  return {
    now: () => Date.now() + skewMs,
    get: async (type, key, options) =>
      type.parse(await send({ verb: 'get', method: 'GET', path: pathOf(type, key) }, options)),
    listPage: async (type, options) => {
      const { namespace, labelSelector } = options;
      const query = { limit: String(options.limit), continue: options.continue, labelSelector };
      const path = pathOf(type, { namespace });
      const body = await sendRaw({ verb: 'list', method: 'GET', path, query }, options);
      const list = JSON.parse(body) as {
        items?: unknown[] | null;
        metadata?: { resourceVersion?: string; continue?: string };
      };
      return {
        items: list.items ?? [],
        resourceVersion: list.metadata?.resourceVersion ?? '',
        continue: list.metadata?.continue || undefined,
        bytes: body.length,
      };
    },
    watch: (type, options) => {
      const query = {
        watch: 'true',
        allowWatchBookmarks: 'true',
        labelSelector: options.labelSelector,
        resourceVersion: options.resourceVersion,
        timeoutSeconds: String(WATCH_SECONDS + Math.floor(Math.random() * WATCH_SECONDS)),
      };
      const path = pathOf(type, { namespace: options.namespace });
      return watch({ verb: 'watch', method: 'GET', path, query }, options);
    },
    create: async (type, object, options) => {
      const path = pathOf(type, { namespace: object.metadata.namespace });
      const query = { fieldManager: options.fieldManager };
      return type.parse(await send({ verb: 'create', method: 'POST', path, query, body: object }, options));
    },
    replace: async (type, object, options) => {
      const query = { fieldManager: options.fieldManager };
      const path = pathOf(type, object.metadata);
      return type.parse(await send({ verb: 'update', method: 'PUT', path, query, body: object }, options));
    },
    apply: async (type, object, options) => {
      const path = `${pathOf(type, object.metadata)}${options.subresource === undefined ? '' : `/${options.subresource}`}`;
      const query = { fieldManager: options.fieldManager, force: 'true' };
      const contentType = 'application/apply-patch+yaml';
      return type.parse(
        await send({ verb: 'patch', method: 'PATCH', path, query, body: object, contentType }, options),
      );
    },
    patch: async (type, key, patch, options) => {
      const query = { fieldManager: options.fieldManager };
      const contentType = 'application/merge-patch+json';
      return type.parse(
        await send(
          { verb: 'patch', method: 'PATCH', path: pathOf(type, key), query, body: patch, contentType },
          options,
        ),
      );
    },
    delete: async (type, key, options) => {
      const body = {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy: 'Background',
        ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
      };
      await send({ verb: 'delete', method: 'DELETE', path: pathOf(type, key), body }, options);
    },
    upgrade: async (path, { protocol, query, signal }) => {
      const call: Call = { verb: 'create', method: 'POST', path, query, protocol };
      let stream: Duplex | undefined;
      try {
        const response = await open(call, signal, (given) => {
          stream = given;
        });
        if (stream === undefined) throw apiError(what(call), response.statusCode ?? 0, await readAll(response));
        return stream;
      } catch (error) {
        throw connectionError(call, error, signal);
      }
    },
    stream: (path, query, options) => stream({ verb: 'get', method: 'GET', path, query }, options),
    [Symbol.dispose]: () => pooled?.agent.destroy(),
  };

  /** What the server sends, for as long as it does. */
  async function* stream(call: Call, { signal }: AbortOptions): AsyncGenerator<Uint8Array, void> {
    let response: IncomingMessage | undefined;
    try {
      response = await open(call, signal);
      const status = response.statusCode ?? 0;
      if (status !== 200) throw apiError(what(call), status, await readAll(response));
      yield* response as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw connectionError(call, error, signal);
    } finally {
      response?.destroy();
    }
  }

  async function* watch(call: Call, { signal }: AbortOptions): AsyncGenerator<WatchEvent> {
    const started = performance.now();
    let response: IncomingMessage | undefined;
    try {
      response = await open(call, signal);
      metrics.request(call.verb, response.statusCode ?? 0, (performance.now() - started) / 1000);
      if (response.statusCode !== 200) throw apiError(what(call), response.statusCode ?? 0, await readAll(response));
      response.setTimeout(WATCH_SILENCE_MS, () => response?.destroy(new Error('the watch has gone silent')));
      // An error of the stream ends the lines without a word: it is kept and thrown after them.
      let broken: Error | undefined;
      response.once('error', (error) => {
        broken = error;
      });
      const lines = createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
      for await (const line of lines) {
        if (line === '') continue;
        const { type, object } = JSON.parse(line) as { type: string; object: { code?: number } };
        if (type === 'ERROR') throw apiError(what(call), object.code ?? 500, JSON.stringify(object));
        yield { type, object } as WatchEvent;
      }
      if (broken !== undefined) throw broken;
    } catch (error) {
      throw connectionError(call, error, signal);
    } finally {
      response?.destroy();
    }
  }
}

function pathOf(type: ResourceType, key: Partial<ObjectKey> = {}): string {
  const group = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const namespace =
    type.namespaced && key.namespace !== undefined ? `/namespaces/${encodeURIComponent(key.namespace)}` : '';
  return `${group}${namespace}/${type.plural}${key.name === undefined ? '' : `/${encodeURIComponent(key.name)}`}`;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new CodedError('resource_exhausted', `the API server sent more than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A type whose objects are taken as they are: of the core API, whose server checks them. */
export const uncheckedType = <T extends KubeObject>(names: Omit<ResourceType, 'parse'>): ResourceType<T> => ({
  ...names,
  parse: (value) => value as T,
});
