/**
 * Loaded into a daemon by `--import`: measures the turns of its serving thread and tells the longest, each with the stacks in which its time went, to whoever
 * connects to the socket that SLIPWAY_TURNS names. A report ends the period that it tells of and begins the next.
 */
import { Session } from 'node:inspector/promises';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';
import { meterPauses, meterTurns, TOLD_MS, type Turn } from './meter.ts';

/** Without the pauses of the collector. */
interface OwnTurn extends Turn {
  readonly ownMs: number;
}

export interface TurnReport {
  /** Those that were long of themselves. */
  readonly turns: readonly (OwnTurn & {
    readonly stacks: readonly { readonly ms: number; readonly stack: string }[];
  })[];
  /** Those that were long with all that was in them. */
  readonly longestMs: readonly number[];
  readonly above20: number;
  readonly delayMaxMs: number;
  readonly cpuS: number;
}

const KEPT = 6;
/** Turns that are shorter are not looked at more closely. */
const LONG_MS = 5;
const SAMPLE_US = 500;
const DEPTH = 9;

const cpuUs = () => {
  const { user, system } = process.threadCpuUsage();
  return user + system;
};

async function start(path: string): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let longest: OwnTurn[] = [];
  let longestMs: number[] = [];
  let above20 = 0;
  let periodCpu = cpuUs();
  const pausedMs = meterPauses();
  const look = (turn: Turn) => {
    const own = { ...turn, ownMs: turn.cpuMs - pausedMs(turn) };
    if (own.ownMs > 20) above20++;
    longest = [...longest, own].sort((a, b) => b.ownMs - a.ownMs).slice(0, KEPT);
  };
  const anew = meterTurns((turn) => {
    if (turn.cpuMs < LONG_MS) return;
    longestMs = [...longestMs, turn.cpuMs].sort((a, b) => b - a).slice(0, KEPT);
    setTimeout(look, TOLD_MS, turn).unref();
  });
  const begin = async () => {
    longest = [];
    longestMs = [];
    above20 = 0;
    delay.reset();
    delay.enable();
    await session.post('Profiler.start');
    anew();
    periodCpu = cpuUs();
  };
  await begin();
  createServer(async (socket) => {
    const turns = longest;
    const told = { longestMs, above20, delayMaxMs: delay.max / 1e6, cpuS: (cpuUs() - periodCpu) / 1e6 };
    const { profile } = await session.post('Profiler.stop');
    const report: TurnReport = { ...told, turns: turns.map((turn) => ({ ...turn, stacks: stacksOf(profile, turn) })) };
    await begin();
    socket.end(JSON.stringify(report));
  })
    .listen(path)
    .unref();
}

type Profile = Awaited<ReturnType<Session['post']>> & {
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly startTime: number;
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
};

/** Where the time of a turn went, the most first. */
function stacksOf(given: unknown, { beganUs, wallMs }: Turn): { ms: number; stack: string }[] {
  const profile = given as Profile;
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const spent = new Map<string, number>();
  let at = profile.startTime;
  for (const [n, id] of (profile.samples ?? []).entries()) {
    const delta = profile.timeDeltas?.[n] ?? 0;
    at += delta;
    if (at < beganUs || at > beganUs + wallMs * 1000) continue;
    const frames: string[] = [];
    for (let node: number | undefined = id; node !== undefined && frames.length < DEPTH; node = parents.get(node)) {
      const { functionName, url, lineNumber } = nodes.get(node)!.callFrame;
      frames.push(
        `${functionName || '(anonymous)'} ${url.replace(/^.*\/(?=src\/|node_modules\/)/, '')}:${lineNumber + 1}`,
      );
    }
    const stack = frames.join(' < ');
    spent.set(stack, (spent.get(stack) ?? 0) + delta / 1000);
  }
  return [...spent]
    .map(([stack, ms]) => ({ ms, stack }))
    .filter(({ stack }) => !stack.startsWith('(idle)'))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, 5);
}

const socket = process.env['SLIPWAY_TURNS'];
if (isMainThread && socket !== undefined && process.argv[1]?.includes('builder-pod/main')) await start(socket);
