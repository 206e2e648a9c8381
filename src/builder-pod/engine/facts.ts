import type { VertexState } from '../../solver/ports.ts';
import { parseRemote, sameRepository } from '../sources/git/remote.ts';
import { type ResolvedSource, resolvedSource } from '../sources/index.ts';
import type { Build } from './build.ts';
import type { PulledBytes } from './pulled-bytes.ts';

const SLOWEST = 5;
/** Base images told of one build. */
const MAX_IMAGES = 100;

interface StepFact {
  readonly name: string;
  readonly durationMs: number;
  readonly cached: boolean;
}

/** What a build's record tells beside its outputs. */
export interface BuildFacts {
  /** Steps of the graph that were dealt with so far, and those among them that came from the cache. */
  readonly vertices: number;
  readonly hits: number;
  readonly slowest: readonly StepFact[];
  /** Of the main context, where that is a git repository. */
  readonly commit: string | undefined;
  readonly baseImages: readonly { readonly name: string; readonly digest: string }[];
  readonly pulled: PulledBytes;
}

type GitFact = Extract<ResolvedSource, { kind: 'git' }>;

/** Reads the facts of a job that is not closed yet, and yields after each vertex. `context` is the main context's address, where it has one. */
export function* factsOf(
  { job, pulled }: Pick<Build, 'job' | 'pulled'>,
  context: string | undefined,
): Generator<void, BuildFacts, void> {
  let vertices = 0;
  let hits = 0;
  const gits: GitFact[] = [];
  const images = new Map<string, { name: string; digest: string }>();
  for (const { state, op } of job.loaded()) {
    yield;
    if (state.completed !== undefined && state.error === undefined) {
      vertices += 1;
      if (state.cached) hits += 1;
    }
    const source = op === undefined ? undefined : resolvedSource(op);
    if (source?.kind === 'git') gits.push(source);
    else if (source?.kind === 'image' && images.size < MAX_IMAGES)
      images.set(`${source.name} ${source.digest}`, { name: source.name, digest: source.digest });
  }
  return {
    vertices,
    hits,
    slowest: yield* slowestOf(job.progress.states()),
    commit: mainCommit(gits, context),
    baseImages: [...images.values()],
    pulled: new Map(pulled),
  };
}

function* slowestOf(states: Iterable<VertexState>): Generator<void, readonly StepFact[], void> {
  const slowest: StepFact[] = [];
  for (const { name, cached, started, completed } of states) {
    yield;
    if (started === undefined || completed === undefined) continue;
    const durationMs = completed - started;
    if (slowest.length === SLOWEST && durationMs <= slowest[SLOWEST - 1]!.durationMs) continue;
    const at = slowest.findIndex((step) => durationMs > step.durationMs);
    slowest.splice(at < 0 ? slowest.length : at, 0, { name, durationMs, cached });
    if (slowest.length > SLOWEST) slowest.pop();
  }
  return slowest;
}

/** The commit of the repository that `context` names; of the only repository when it names none. */
function mainCommit(gits: readonly GitFact[], context: string | undefined): string | undefined {
  const main = context === undefined ? undefined : remoteOf(context);
  if (main !== undefined) return gits.find((git) => sameRepository(main, git))?.commit;
  const [first] = gits;
  return first !== undefined && gits.every((git) => sameRepository(first, git)) ? first.commit : undefined;
}

function remoteOf(context: string): { readonly host: string; readonly path: string } | undefined {
  const address = context.replace(/[#?].*$/s, '');
  for (const candidate of [address, `https://${address}`])
    try {
      return parseRemote(candidate);
    } catch {
      // No address of a repository: the context is a local one, an input or a plain file.
    }
  return undefined;
}
