import { Builder, GrpcServer, wire } from '../../src/builder-api/index.ts';

const { RUNNING, SUCCEEDED, CANCELLED, UNKNOWN } = wire.slipway.builder.v1.SolveState;

/** What an operator sees of a builder, without one: solves that succeed after a moment, as many at once as it has places. */
export interface SimulatedBuilder extends AsyncDisposable {
  /** `host:port`, without TLS. */
  readonly address: string;
  /** How many solves each run had, by its uid. */
  readonly started: ReadonlyMap<string, number>;
  /** Run uids whose tags were to be written, in order. */
  readonly committed: readonly string[];
  /** Solves at once, at most. */
  readonly most: number;
}

export async function startSimulatedBuilder(options: {
  readonly capacity: number;
  /** Of a solve, by its BuildRun's namespace/name; undefined for one that goes on until it is cancelled. */
  readonly tookMs: (subject: string) => number | undefined;
}): Promise<SimulatedBuilder> {
  const server = new GrpcServer();
  const started = new Map<string, number>();
  const committed: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<typeof SUCCEEDED | typeof CANCELLED>>();
  let running = 0;
  let most = 0;
  interface Named {
    readonly id?: { readonly runUid?: string | null; readonly attempt?: number | null } | null;
  }
  const uidOf = ({ id }: Named) => id?.runUid ?? '';
  const keyOf = (named: Named) => `${uidOf(named)}/${named.id?.attempt ?? 0}`;
  server.register(Builder, {
    load: () => ({
      running,
      capacity: options.capacity,
      builderId: 'simulated',
      platforms: ['linux/amd64'],
      version: '1',
    }),
    start: (request) => {
      const [uid, key] = [uidOf(request), keyOf(request)];
      // An operator that leads again asks for what goes on.
      if (ends.has(key)) return { state: RUNNING, alreadyKnown: true };
      started.set(uid, (started.get(uid) ?? 0) + 1);
      most = Math.max(most, ++running);
      const end = Promise.withResolvers<typeof SUCCEEDED | typeof CANCELLED>();
      ends.set(key, end);
      void end.promise.then(() => running--);
      const tookMs = options.tookMs(request.subject ?? '');
      if (tookMs !== undefined) setTimeout(() => end.resolve(SUCCEEDED), tookMs).unref();
      return { state: RUNNING };
    },
    result: async (request) => {
      const end = ends.get(keyOf(request));
      if (end === undefined) return { state: UNKNOWN };
      const state = request.wait === true ? await end.promise : await Promise.race([end.promise, RUNNING]);
      return { state, vertices: 3, hits: 3 };
    },
    commit: (request) => {
      committed.push(uidOf(request));
      return { outputs: [] };
    },
    acknowledge: () => ({}),
    cancel: async (request) => {
      const end = ends.get(keyOf(request));
      end?.resolve(CANCELLED);
      return { state: (await end?.promise) ?? CANCELLED };
    },
    attach: async function* () {},
  });
  const port = await server.listenTcp('127.0.0.1', 0);
  return {
    address: `127.0.0.1:${port}`,
    started,
    committed,
    get most() {
      return most;
    },
    [Symbol.asyncDispose]: () => server.close({ graceMs: 0 }),
  };
}
