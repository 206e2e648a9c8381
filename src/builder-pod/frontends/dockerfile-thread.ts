import { CodedError, hostPlatform } from '../../base/index.ts';
import {
  buildDockerfile,
  type CallOptions,
  type DockerfileClient,
  type FrontendRef,
  type FrontendResult,
  syntaxIsBuiltIn,
} from '../../dockerfile/index.ts';
import { type Definition, decodeDefinitionInSlices, encodeDefinition } from '../../llb/index.ts';
import type { LanePort } from '../../sys/index.ts';
import type { BridgeRef, BridgeResult } from './bridge.ts';
import { newestInArchive, timeOf } from './source-times.ts';
import { isBuiltInSyntax } from './syntax.ts';
import { BridgeClient } from './thread-client.ts';
import type { FromFrontend, ThreadData, ToFrontend } from './thread-messages.ts';

/** Code that has run more often is faster still, but a thread that warms up for long is not there for the next build. */
const WARM_ROUNDS = 3;

/** One run: builds one Dockerfile. */
export async function serve(port: LanePort<ToFrontend, FromFrontend>): Promise<void> {
  const bridge = new BridgeClient(port);
  const data = await bridge.begun;
  bridge.done(fromResult(await buildDockerfile(clientOf(bridge, data), { signal: port.closed })));
}

/** What most Dockerfiles are made of. */
const SAMPLE = `# syntax=docker/dockerfile:1
FROM scratch AS a
ARG N=1
ENV PATH=/bin:\${N} LANG=C
WORKDIR /src
COPY f g /src/
RUN --mount=type=cache,target=/c echo \${N:-x} && \\
    true
RUN ["/bin/sh", "-c", "true"]
FROM a
LABEL l="v"
COPY --from=a --chown=1:1 /f /g
USER 1
CMD ["/g"]
`;

/** Small builds of nothing: what they compile, the real one need not. */
export async function warm(): Promise<void> {
  for (let round = 0; round < WARM_ROUNDS; round++) await buildSample();
}

async function buildSample(): Promise<void> {
  const text = new TextEncoder().encode(SAMPLE);
  const missing = () => Promise.reject(new CodedError('not_found', 'no such file or directory'));
  const ref: FrontendRef = {
    id: 'warm',
    readFile: async (path) => (path.endsWith('.dockerignore') ? await missing() : text),
    statFile: async (path) => (path.endsWith('.dockerignore') ? await missing() : { size: text.length }),
  };
  const { signal } = new AbortController();
  await buildDockerfile(
    {
      options: new Map([['build-arg:N', '2']]),
      sessionId: 'warm',
      buildPlatforms: [hostPlatform()],
      llbCaps: new Set(),
      solve: async () => ref,
      resolveImageConfig: () => Promise.reject(new CodedError('not_found', 'no images')),
      sourceTime: async () => undefined,
      newestInArchive: async () => undefined,
      forward: async ({ options }) => {
        throw syntaxIsBuiltIn(options.get('source') ?? '');
      },
      inputs: async () => new Map(),
      warn: () => {},
    },
    { signal },
  ).catch(() => {});
}

async function graphsOf({ inputs }: ThreadData, call: CallOptions): Promise<ReadonlyMap<string, Definition>> {
  const graphs = new Map<string, Definition>();
  for (const [name, parts] of inputs) graphs.set(name, await decodeDefinitionInSlices(Buffer.concat(parts), call));
  return graphs;
}

function clientOf(bridge: BridgeClient, data: ThreadData): DockerfileClient {
  let graphs: Promise<ReadonlyMap<string, Definition>> | undefined;
  return {
    options: data.options,
    sessionId: data.sessionId,
    buildPlatforms: data.workers[0]?.platforms ?? [],
    llbCaps: new Set(data.llbCaps),
    solve: async ({ definition, ...request }, call) => {
      const bytes = encodeDefinition(definition);
      const { ref } = await bridge.call('solve', [{ ...request, definition: bytes }], call, [bytes.buffer]);
      return ref === undefined ? undefined : refOf(bridge, ref);
    },
    resolveImageConfig: (reference, request, call) =>
      bridge.call('resolveImageConfig', [{ reference, ...request }], call),
    sourceTime: async (source, { logName }, call) => {
      const gitObject = source.identifier.startsWith('git://');
      return timeOf(await bridge.call('resolveSourceMeta', [{ source, resolveMode: '', logName, gitObject }], call));
    },
    newestInArchive,
    forward: async ({ frontend, options, inputs }, call) => {
      const reference = options.get('source') ?? '';
      if (isBuiltInSyntax(reference)) {
        bridge.notice('the built-in Dockerfile frontend stands for the one that the syntax line names', { reference });
        throw syntaxIsBuiltIn(reference);
      }
      const frontendInputs = mapValues(inputs, encodeDefinition);
      const request = { frontend, frontendOptions: options, frontendInputs };
      return toResult(bridge, await bridge.call('solve', [request], call));
    },
    inputs: (call) => {
      graphs ??= graphsOf(data, call);
      return graphs;
    },
    warn: (warning) => bridge.warn(warning),
  };
}

function refOf(bridge: BridgeClient, { id }: BridgeRef): FrontendRef | undefined {
  if (id === '') return undefined;
  return {
    id,
    readFile: (path, range, call: CallOptions) => bridge.call('readFile', [id, path, range], call),
    statFile: (path, call: CallOptions) => bridge.call('statFile', [id, path], call),
  };
}

function toResult(bridge: BridgeClient, result: BridgeResult): FrontendResult {
  const { metadata, ref, refs, attestations } = result;
  const common = {
    metadata,
    ...(attestations === undefined
      ? {}
      : {
          attestations: mapValues(attestations, (all) =>
            all.map((one) => ({ ...one, ref: one.ref === undefined ? undefined : refOf(bridge, one.ref) })),
          ),
        }),
  };
  if (refs !== undefined) return { ...common, refs: mapValues(refs, (one) => refOf(bridge, one)) };
  return { ...common, ref: ref === undefined ? undefined : refOf(bridge, ref) };
}

function fromResult({ metadata, ref, refs, attestations, scans }: FrontendResult): BridgeResult {
  const idOf = (one: FrontendRef | undefined): BridgeRef => ({ id: one?.id ?? '' });
  const common = {
    metadata,
    ...(attestations === undefined
      ? {}
      : { attestations: mapValues(attestations, (all) => all.map((one) => ({ ...one, ref: idOf(one.ref) }))) }),
    ...(scans === undefined
      ? {}
      : { scans: mapValues(scans, (all) => all.map(({ name, ref: its }) => ({ name, ref: idOf(its) }))) }),
  };
  if (refs !== undefined) return { ...common, refs: mapValues(refs, idOf) };
  // Answers about the Dockerfile carry no file system.
  return metadata.has('refs.platforms') || ref !== undefined ? { ...common, ref: idOf(ref) } : common;
}

function mapValues<A, B>(all: ReadonlyMap<string, A>, change: (value: A) => B): Map<string, B> {
  return new Map([...all].map(([name, value]) => [name, change(value)]));
}
