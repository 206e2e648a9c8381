import { CodedError, hostPlatform } from '../../base/index.ts';
import {
  buildDockerfile,
  type CallOptions,
  type DockerfileClient,
  type FrontendRef,
  type FrontendResult,
  syntaxIsBuiltIn,
} from '../../dockerfile/index.ts';
import type { ThreadPort } from '../../sys/index.ts';
import type { BridgeRef, BridgeResult } from './bridge.ts';
import { isBuiltInSyntax } from './syntax.ts';
import { BridgeClient } from './thread-client.ts';
import type { FromFrontend, ThreadData, ToFrontend } from './thread-messages.ts';

/** Entry of the thread: waits for a run, builds one Dockerfile and ends. */
export async function start(port: ThreadPort<ToFrontend, FromFrontend>): Promise<void> {
  const bridge = new BridgeClient(port, () => void warmUp());
  const data = await bridge.begun;
  // Cancelling ends the whole thread, so nothing in it is ever told.
  const { signal } = new AbortController();
  bridge.done(fromResult(await buildDockerfile(clientOf(bridge, data), { signal })));
}

/** A small build of nothing: what it compiles, the real one need not. */
async function warmUp(): Promise<void> {
  const text = new TextEncoder().encode(
    'FROM scratch AS a\nARG N=1\nCOPY f /f\nRUN echo $N\nFROM a\nCOPY --from=a /f /g\n',
  );
  const ref: FrontendRef = {
    id: 'warm',
    readFile: async () => text,
    statFile: async () => ({ size: text.length }),
  };
  const { signal } = new AbortController();
  await buildDockerfile(
    {
      options: new Map(),
      sessionId: 'warm',
      buildPlatforms: [hostPlatform()],
      llbCaps: new Set(),
      solve: async () => ref,
      resolveImageConfig: () => Promise.reject(new CodedError('not_found', 'no images')),
      forward: () => Promise.reject(new CodedError('unimplemented', 'no frontends')),
      inputs: async () => new Map(),
      warn: () => {},
    },
    { signal },
  ).catch(() => {});
}

function clientOf(bridge: BridgeClient, data: ThreadData): DockerfileClient {
  return {
    options: data.options,
    sessionId: data.sessionId,
    buildPlatforms: data.workers[0]?.platforms ?? [],
    llbCaps: new Set(data.llbCaps),
    solve: async (request, call) => {
      const { ref } = await bridge.call('solve', [request], call);
      return ref === undefined ? undefined : refOf(bridge, ref);
    },
    resolveImageConfig: (reference, request, call) =>
      bridge.call('resolveImageConfig', [{ reference, ...request }], call),
    forward: async ({ frontend, options, inputs }, call) => {
      const reference = options.get('source') ?? '';
      if (isBuiltInSyntax(reference)) {
        bridge.notice('the built-in Dockerfile frontend stands for the one that the syntax line names', { reference });
        throw syntaxIsBuiltIn(reference);
      }
      const request = { frontend, frontendOptions: options, frontendInputs: inputs };
      return toResult(bridge, await bridge.call('solve', [request], call));
    },
    inputs: async () => data.inputs,
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
  const { metadata, ref, refs } = result;
  if (refs !== undefined)
    return { metadata, refs: new Map([...refs].map(([platform, one]) => [platform, refOf(bridge, one)])) };
  return { metadata, ref: ref === undefined ? undefined : refOf(bridge, ref) };
}

function fromResult({ metadata, ref, refs }: FrontendResult): BridgeResult {
  const idOf = (one: FrontendRef | undefined): BridgeRef => ({ id: one?.id ?? '' });
  if (refs !== undefined) return { metadata, refs: new Map([...refs].map(([platform, one]) => [platform, idOf(one)])) };
  // Answers about the Dockerfile carry no file system.
  return metadata.has('refs.platforms') || ref !== undefined ? { metadata, ref: idOf(ref) } : { metadata };
}
