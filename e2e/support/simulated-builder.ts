import { setTimeout as sleep } from 'node:timers/promises';
import { Builder, GrpcServer, wire } from '../../src/builder-api/index.ts';

const { RUNNING, SUCCEEDED, UNKNOWN } = wire.slipway.builder.v1.SolveState;

/** What an operator sees of a builder, without one: solves that succeed after a moment, as many at once as it has places. */
export interface SimulatedBuilder extends AsyncDisposable {
  /** `host:port`, without TLS. */
  readonly address: string;
  /** How often each solve was started, by run uid. */
  readonly started: ReadonlyMap<string, number>;
  /** Run uids whose tags were to be written, in order. */
  readonly committed: readonly string[];
  /** Solves at once, at most. */
  readonly most: number;
}

export async function startSimulatedBuilder(options: {
  readonly capacity: number;
  readonly tookMs: number;
}): Promise<SimulatedBuilder> {
  const server = new GrpcServer();
  const started = new Map<string, number>();
  const committed: string[] = [];
  const ends = new Map<string, Promise<void>>();
  let running = 0;
  let most = 0;
  const uidOf = ({ id }: { readonly id?: { readonly runUid?: string | null } | null }) => id?.runUid ?? '';
  server.register(Builder, {
    load: () => ({
      running,
      capacity: options.capacity,
      builderId: 'simulated',
      platforms: ['linux/amd64'],
      version: '1',
    }),
    start: (request) => {
      const uid = uidOf(request);
      started.set(uid, (started.get(uid) ?? 0) + 1);
      most = Math.max(most, ++running);
      const end = sleep(options.tookMs).then(() => {
        running--;
      });
      ends.set(uid, end);
      return { state: RUNNING };
    },
    result: async (request) => {
      const end = ends.get(uidOf(request));
      if (end === undefined) return { state: UNKNOWN };
      if (request.wait === true) await end;
      return { state: SUCCEEDED, vertices: 3, hits: 3 };
    },
    commit: (request) => {
      committed.push(uidOf(request));
      return { outputs: [] };
    },
    acknowledge: () => ({}),
    cancel: () => ({ state: SUCCEEDED }),
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
