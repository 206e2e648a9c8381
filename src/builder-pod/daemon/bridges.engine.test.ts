import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { afterAll, beforeAll } from 'vitest';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { neverAborted, newId } from '../../base/index.ts';
import { ConnectionChannel, clientOf, LLBBridge, toBigInt, toNumber } from '../../builder-api/index.ts';
import { decodeDefinition, encodeDefinition, http } from '../../llb/index.ts';
import { decodeName } from '../../sys/index.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import type { BridgeStat, FrontendBridge } from '../frontends/index.ts';

import { serveBridgeOver } from './llb-bridge.ts';
import { type AskedBridge, type BridgeWorld, bridgeSuite, INPUT } from './testing/bridge-suite.ts';

const signal = neverAborted;
const cleanup = new AsyncDisposableStack();
afterAll(() => cleanup.disposeAsync());
let builder: Builder;
beforeAll(async () => {
  const folder = cleanup.use(tempFolder('bridges')).path;
  builder = await openTestBuilder(`${folder}/root`, cleanup);
});

function asked(bridge: FrontendBridge): AskedBridge {
  return Object.assign(Object.create(bridge) as FrontendBridge, {
    release: async (id: string) => await bridge.container(id)[Symbol.asyncDispose](),
  });
}

type Stat = Awaited<ReturnType<ReturnType<typeof gateway>['statFile']>>['stat'];
const gateway = (channel: ConnectionChannel) => clientOf(LLBBridge, channel);

function statOf(stat: Stat): BridgeStat {
  const { mode, uid, gid, size, modTime, devmajor, devminor } = stat ?? {};
  return {
    path: decodeName(stat?.path ?? new Uint8Array()),
    linkname: decodeName(stat?.linkname ?? new Uint8Array()),
    ...{ mode: mode ?? 0, uid: uid ?? 0, gid: gid ?? 0, size: toNumber(size), modTime: toBigInt(modTime) },
    ...{ devmajor: toNumber(devmajor), devminor: toNumber(devminor) },
  };
}

/** As a frontend image or a client has it: calls over a stream of bytes. */
function overStream(bridge: FrontendBridge): { readonly bridge: AskedBridge } & AsyncDisposable {
  const [ours, theirs] = duplexPair();
  const server = serveBridgeOver(theirs, { id: 'worker' }, { bridge, giveResult: () => {}, over: Promise.resolve() });
  const channel = new ConnectionChannel(ours);
  const calls = gateway(channel);
  const empty = new Uint8Array();
  return {
    bridge: {
      solve: async ({ definition, frontend, evaluate }, options) => {
        const request = {
          ...(definition === undefined ? {} : { definition }),
          ...{ frontend: frontend ?? '', evaluate: evaluate === true, allowResultReturn: true },
        };
        const { result } = await calls.solve(request, options);
        return { ref: { id: result?.ref?.id ?? '' }, metadata: new Map(Object.entries(result?.metadata ?? {})) };
      },
      readFile: async (ref, filePath, range, options) =>
        (await calls.readFile({ ref, filePath, ...(range === undefined ? {} : { range }) }, options)).data ?? empty,
      readDir: async (ref, dirPath, includePattern, options) => {
        const { entries } = await calls.readDir({ ref, dirPath, includePattern: includePattern ?? '' }, options);
        return (entries ?? []).map(statOf);
      },
      statFile: async (ref, path, options) => statOf((await calls.statFile({ ref, path }, options)).stat),
      evaluate: async (ref, options) => void (await calls.evaluate({ ref }, options)),
      resolveImageConfig: async ({ reference, resolveMode, logName }, options) => {
        const answer = await calls.resolveImageConfig({ ref: reference, resolveMode, logName }, options);
        return { reference: answer.ref ?? '', digest: answer.digest as never, config: answer.config ?? empty };
      },
      inputs: async (options) => {
        const { definitions } = await calls.inputs({}, options);
        return new Map(Object.entries(definitions ?? {}).map(([name, bytes]) => [name, decodeDefinition(bytes)]));
      },
      release: async (containerId) => void (await calls.releaseContainer({ containerId }, { signal })),
    },
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The bridge of a build of the engine's, whose frontend is the test. */
async function engineWorld(
  use: (bridge: FrontendBridge) => { readonly bridge: AskedBridge } & AsyncDisposable,
): Promise<BridgeWorld> {
  await using stack = new AsyncDisposableStack();
  const [reached, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const server = createServer((req) => {
    reached.resolve();
    req.on('close', left.resolve);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => void server.close().closeAllConnections());
  const inputs = new Map([['ctx', INPUT]]);
  const ref = newId();
  const solving = builder.engine.solve(
    {
      ...{ ref, session: '', frontendAttrs: new Map(), frontendInputs: inputs, exporters: [], entitlements: [] },
      ...{ scope: { write: 'default', read: ['default'] } },
    },
    { signal },
  );
  solving.catch(() => {});
  const build = await builder.engine.build('default', ref, { signal, waitMs: 10_000 });
  stack.defer(async () => {
    build.giveResult({ result: { metadata: new Map() } });
    await solving;
  });
  const { bridge } = stack.use(use(build.bridge(inputs)));
  const opened = stack.move();
  const hung = encodeDefinition(http(`http://127.0.0.1:${(server.address() as AddressInfo).port}/f`).marshal());
  return {
    bridge,
    hang: () => ({ definition: hung, reached: reached.promise, left: left.promise }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const direct = (bridge: FrontendBridge) => ({ bridge: asked(bridge), [Symbol.asyncDispose]: async () => {} });
bridgeSuite('of a build', () => engineWorld(direct));
bridgeSuite('of a build, over a stream', () => engineWorld(overStream));
