import type { Duplex } from 'node:stream';
import { invalidArgument, isDigest, onAbort, type Platform } from '../../base/index.ts';
import {
  BUILD_ID_METADATA,
  type CallContext,
  delimited,
  EncodedMessage,
  errorOfStatus,
  GrpcServer,
  type Handlers,
  Health,
  LLBBridge,
  longOf,
  timestampOf,
  toNumber,
  wire,
} from '../../builder-api/index.ts';
import { decodeExecOp, type ExecOp, encodeDefinitionInSlices } from '../../llb/index.ts';
import { encodeName } from '../../sys/index.ts';
import type { Engine } from '../engine/index.ts';
import type { BridgeRef, BridgeResult, BridgeSourceMeta, BridgeStat, FrontendBridge } from '../frontends/index.ts';
import { buildkitCode, decodeInputs } from '../protocol/index.ts';
import { withoutOwnPaths } from '../state/index.ts';
import { attestationMessages, attestationsOf } from './attestation-messages.ts';
import { frontendCaps, llbCaps } from './caps.ts';
import { execProcesses } from './exec-processes.ts';
import { platformOf } from './worker.ts';

/** How long a call may come before the Solve that it belongs to. */
const BUILD_WAIT_MS = 3000;
/** How long calls of a build that was refused wait, so that its client hears of that by Solve. */
const REFUSED_WAIT_MS = 1000;
/** How long the answer to a returned error waits for Solve to fail of it. */
const RETURN_WAIT_MS = 10_000;

const { pb } = wire;
const { frontend } = wire.moby.buildkit.v1;
type Result = wire.moby.buildkit.v1.frontend.Result.$Properties;
type Stat = wire.fsutil.types.Stat.$Properties;
type WorkerRecord = wire.moby.buildkit.v1.types.WorkerRecord.$Properties;

/** The bridge that a frontend is served, and where its result goes. */
interface ServedBridge {
  readonly bridge: FrontendBridge;
  giveResult(outcome: { readonly result: BridgeResult } | { readonly error: unknown }): void;
  /** Fulfilled when the build is over. */
  readonly over: Promise<void>;
}

/**
 * LLBBridge on the clients' server: frontends in the client drive a build of this scope. Their calls name it in metadata and may come on
 * any connection.
 */
export function registerLlbBridge(
  server: GrpcServer,
  engine: Engine,
  worker: WorkerRecord,
  { stateRoot, scope }: { readonly stateRoot: string; readonly scope: string },
): void {
  const find = async ({ metadata, signal }: CallContext): Promise<ServedBridge> => {
    const ref = metadata.get(BUILD_ID_METADATA);
    if (ref === undefined || ref === '') throw invalidArgument('no buildid found in context');
    const build = await engine.build(scope, ref, { signal, waitMs: BUILD_WAIT_MS }).catch(async (error: unknown) => {
      // Solve says why first: a client who fails of that calls this off.
      if (engine.wasRefused(ref)) await leftOrLate(signal, REFUSED_WAIT_MS);
      throw error;
    });
    return {
      bridge: build.bridge(build.request.frontendInputs),
      giveResult: (outcome) => build.giveResult(outcome),
      over: build.over,
    };
  };
  serveBridge(server, worker, find, (error) => withoutOwnPaths(error, stateRoot));
}

/** Resolves when the caller has left, or after so many ms. */
async function leftOrLate(signal: AbortSignal, ms: number): Promise<void> {
  using late = onAbort(AbortSignal.any([signal, AbortSignal.timeout(ms)]));
  await late.promise.catch(() => {});
}

/** LLBBridge to whoever is at the other end of a stream of bytes, e.g. a process by its standard streams. Dispose the server when that has ended. */
export function serveBridgeOver(stream: Duplex, worker: WorkerRecord, served: ServedBridge): GrpcServer {
  const server = new GrpcServer();
  server.register(Health, { check: () => ({ status: 1 }) });
  serveBridge(server, worker, async () => served);
  server.serveConnection(stream);
  return server;
}

/** LLBBridge; whose bridge a call is for, `find` says. */
function serveBridge(
  server: GrpcServer,
  worker: WorkerRecord,
  find: (context: CallContext) => Promise<ServedBridge>,
  told?: (error: unknown) => unknown,
): void {
  const bridgeOf = async (context: CallContext): Promise<FrontendBridge> => (await find(context)).bridge;

  const handlers: Handlers<typeof LLBBridge> = {
    ping: async (_, context) => {
      await find(context);
      return { frontendApiCaps: [...frontendCaps], llbCaps: [...llbCaps], workers: [worker] };
    },

    solve: async (request, context) => {
      const bridge = await bridgeOf(context);
      const { definition, frontend } = request;
      const result = await bridge.solve(
        {
          ...(definition?.length ? { definition } : {}),
          ...(frontend ? { frontend, frontendOptions: new Map(Object.entries(request.frontendOpt ?? {})) } : {}),
          frontendInputs: await decodeInputs(request.frontendInputs, context),
          evaluate: request.evaluate === true,
          cacheImports: (request.cacheImports ?? []).map(({ type, attrs }) => ({
            type: type ?? '',
            attrs: attrs ?? {},
          })),
        },
        context,
      );
      if (request.allowResultReturn !== true) return { ref: result.ref?.id ?? '' };
      return solveAnswer(result);
    },

    resolveImageConfig: async (request, context) => {
      const bridge = await bridgeOf(context);
      const { sessionId, storeId } = request;
      const ociLayout = { sessionId: sessionId ?? '', storeId: storeId ?? '' };
      const { reference, digest, config } = await bridge.resolveImageConfig(
        {
          reference: request.ref ?? '',
          ...platformOption(platformOf(request.platform)),
          resolveMode: request.resolveMode ?? '',
          logName: request.logName ?? '',
          ...(request.resolverType === 1 ? { ociLayout } : {}),
        },
        context,
      );
      return { ref: reference, digest, config };
    },

    resolveSourceMeta: async (request, context) => {
      const bridge = await bridgeOf(context);
      const { source, image, git, http } = await bridge.resolveSourceMeta(
        {
          source: { identifier: request.source?.identifier ?? '', attrs: request.source?.attrs ?? {} },
          ...platformOption(platformOf(request.platform)),
          resolveMode: request.resolveMode ?? '',
          logName: request.logName ?? '',
          noConfig: request.image?.noConfig === true,
          gitObject: request.git?.returnObject === true,
        },
        context,
      );
      return {
        source: { identifier: source.identifier, attrs: { ...source.attrs } },
        ...(image === undefined ? {} : { image }),
        ...(git === undefined ? {} : { git }),
        ...(http === undefined ? {} : { http: httpMessage(http) }),
      };
    },

    readFile: async (request, context) => {
      const bridge = await bridgeOf(context);
      return {
        data: await bridge.readFile(request.ref ?? '', request.filePath ?? '', rangeOf(request.range), context),
      };
    },

    readDir: async (request, context) => {
      const bridge = await bridgeOf(context);
      const { ref, dirPath, includePattern } = request;
      const entries = await bridge.readDir(ref ?? '', dirPath ?? '', includePattern || undefined, context);
      return { entries: entries.map(statMessage) };
    },

    statFile: async (request, context) => {
      const bridge = await bridgeOf(context);
      return { stat: statMessage(await bridge.statFile(request.ref ?? '', request.path ?? '', context)) };
    },

    evaluate: async (request, context) => {
      const bridge = await bridgeOf(context);
      await bridge.evaluate(request.ref ?? '', context);
      return {};
    },

    return: async (request, context) => {
      const served = await find(context);
      if (request.error == null) {
        served.giveResult({ result: resultOf(request.result ?? {}) });
        return {};
      }
      served.giveResult({ error: errorOfStatus(request.error) });
      // Solve tells of it first. Else buildctl, which waits for that a few seconds from this answer on, says that its own function failed.
      await Promise.race([served.over.catch(() => {}), leftOrLate(context.signal, RETURN_WAIT_MS)]);
      await new Promise((resolve) => void setImmediate(resolve));
      return {};
    },

    inputs: async (_, context) => {
      const bridge = await bridgeOf(context);
      const parts: Uint8Array[] = [];
      for (const [name, definition] of await bridge.inputs(context)) {
        const encoded = await encodeDefinitionInSlices(definition, context);
        // An entry of the map `definitions` (1): its name (1), and the definition (2).
        const entry = [...delimited(1, [Buffer.from(name)]), ...delimited(2, encoded)];
        parts.push(...delimited(1, entry));
      }
      return new EncodedMessage(parts);
    },

    newContainer: async (request, context) => {
      const bridge = await bridgeOf(context);
      const { mounts, network, hostname, extraHosts } = request;
      const { meta, ...exec } = execOf({ mounts, network, meta: { hostname, extraHosts } });
      const container = {
        mounts: exec.mounts,
        network: exec.network,
        hostname: meta.hostname,
        extraHosts: meta.extraHosts,
      };
      await bridge.newContainer({ id: request.containerId ?? '', ...container }, context);
      return {};
    },

    releaseContainer: async (request, context) => {
      const bridge = await bridgeOf(context);
      await bridge.container(request.containerId ?? '')[Symbol.asyncDispose]();
      return {};
    },

    execProcess: async function* (requests, context) {
      const bridge = await bridgeOf(context);
      yield* execProcesses(requests, async (init, options) => {
        const { fds, tty, security, secretenv } = init;
        const exec = execOf({ meta: init.meta ?? {}, security: security ?? 0, secretenv: secretenv ?? [] });
        const { meta, secretEnv } = exec;
        const process = {
          meta,
          secretEnv,
          security: exec.security,
          tty: tty === true,
          stdin: fds?.includes(0) === true,
        };
        return await bridge.container(init.containerId ?? '').start(process, options);
      });
    },

    readFileContainer: async (request, context) => {
      const { ref, mountIndex, filePath, range } = request;
      const container = (await bridgeOf(context)).container(ref ?? '');
      return { data: await container.readFile(mountIndex ?? 0, filePath ?? '', rangeOf(range), context) };
    },

    readDirContainer: async (request, context) => {
      const { ref, mountIndex, dirPath, includePattern } = request;
      const container = (await bridgeOf(context)).container(ref ?? '');
      const entries = await container.readDir(mountIndex ?? 0, dirPath ?? '', includePattern || undefined, context);
      return { entries: entries.map(statMessage) };
    },

    statFileContainer: async (request, context) => {
      const { ref, mountIndex, path } = request;
      const container = (await bridgeOf(context)).container(ref ?? '');
      return { stat: statMessage(await container.statFile(mountIndex ?? 0, path ?? '', context)) };
    },

    warn: async (request, context) => {
      const bridge = await bridgeOf(context);
      const digest = request.digest ?? '';
      if (!isDigest(digest)) throw invalidArgument(`invalid vertex digest ${JSON.stringify(digest)}`);
      const { info } = request;
      const source = {
        filename: info?.filename ?? '',
        data: info?.data ?? new Uint8Array(),
        language: info?.language ?? '',
      };
      bridge.warn({
        vertex: digest,
        level: toNumber(request.level),
        message: text(request.short),
        detail: (request.detail ?? []).map(text),
        url: request.url ?? '',
        ...(info == null ? {} : { source }),
        ranges: (request.ranges ?? []).map(({ start, end }) => ({ start: position(start), end: position(end) })),
      });
      return {};
    },
  };
  server.register(LLBBridge, handlers, { wireCode: buildkitCode, ...(told === undefined ? {} : { told }) });
}

/** What of an exec op a container or a process has, as LLB has it. */
function execOf(parts: wire.pb.ExecOp.$Properties): ExecOp {
  return decodeExecOp(pb.ExecOp.encode(parts).finish());
}

/** A length of 0 means up to the end. */
function rangeOf(range: wire.moby.buildkit.v1.frontend.FileRange.$Properties | null | undefined) {
  if (range == null) return undefined;
  const length = toNumber(range.length);
  return { offset: toNumber(range.offset), ...(length > 0 ? { length } : {}) };
}

function text(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}

function position(message: wire.pb.Position.$Properties | null | undefined) {
  return { line: message?.line ?? 0, character: message?.character ?? 0 };
}

function platformOption(platform: Platform | undefined): { readonly platform?: Platform } {
  return platform === undefined ? {} : { platform };
}

function refMessage({ id, definition }: BridgeRef): wire.moby.buildkit.v1.frontend.Ref.$Properties {
  return { id, ...(definition === undefined ? {} : { def: definition }) };
}

/** The graph of a result is as long as a client made it: it is sent as it is. */
function solveAnswer(result: BridgeResult): EncodedMessage | { readonly result: Result } {
  const { ref } = result;
  const message = resultMessage(result);
  if (ref?.definition === undefined) return { result: message };
  // SolveResponse.result (3), Result.ref (3), Ref.def (2).
  const { ref: _, ...rest } = message;
  const id = frontend.Ref.encode({ id: ref.id }).finish();
  const refParts = delimited(3, [id, ...delimited(2, [ref.definition])]);
  return new EncodedMessage(delimited(3, [...refParts, frontend.Result.encode(rest).finish()]));
}

function resultMessage(result: BridgeResult): Result {
  const common = {
    metadata: Object.fromEntries(result.metadata),
    ...(result.attestations === undefined
      ? {}
      : { attestations: attestationMessages(result.attestations, refMessage) }),
  };
  if (result.refs === undefined) return { ...common, ref: refMessage(result.ref ?? { id: '' }) };
  const refs = Object.fromEntries([...result.refs].map(([id, ref]) => [id, refMessage(ref)]));
  return { ...common, refs: { refs } };
}

function resultOf(message: Result): BridgeResult {
  const common = {
    metadata: new Map(Object.entries(message.metadata ?? {})),
    attestations: attestationsOf(message.attestations ?? {}),
  };
  const many = message.refs?.refs ?? undefined;
  if (many !== undefined) {
    return { refs: new Map(Object.entries(many).map(([key, { id }]) => [key, { id: id ?? '' }])), ...common };
  }
  const old = message.refsDeprecated?.refs ?? undefined;
  if (old !== undefined) return { refs: new Map(Object.entries(old).map(([key, id]) => [key, { id }])), ...common };
  return { ref: { id: message.ref?.id ?? message.refDeprecated ?? '' }, ...common };
}

function statMessage(stat: BridgeStat): Stat {
  const { path, linkname, modTime } = stat;
  return { ...stat, path: encodeName(path), linkname: encodeName(linkname), modTime: longOf(modTime) };
}

function httpMessage({ checksum, filename, lastModified }: NonNullable<BridgeSourceMeta['http']>) {
  return { checksum, filename, ...(lastModified === undefined ? {} : { lastModified: timestampOf(lastModified) }) };
}
