import { type LogFields, type Logger, RecentMap } from '../../base/index.ts';
import type { VertexOp } from '../../llb/index.ts';
import {
  type CacheMap,
  isVolatile,
  type Miss,
  MOST_KEYED_INPUTS,
  type SolverObserver,
  type Vertex,
} from '../../solver/index.ts';

/** Steps whose last key is remembered, to tell in what the next differs; and caches whose failures were told. */
const MAX_STEPS = 1000;
const MAX_CACHES = 100;

interface LastKey {
  map: CacheMap | undefined;
  /** Members of the key that are not as they were when a step of this name was last seen; undefined for the first. */
  changed: readonly string[] | undefined;
}

/** Tells the daemon's log what the cache did: failures always, and under debug every hit, and every miss with what differed. */
export function cacheLog(log: Logger, { explain }: { readonly explain: boolean }): SolverObserver<VertexOp> {
  const told = new RecentMap<string, { count: number }>(MAX_CACHES);
  const failed: SolverObserver['failed'] = ({ cache, error }) => {
    const failures = told.getOrMake(cache, () => ({ count: 0 }));
    if (failures.count++ === 0) log.warn('a cache could not be read', { cache, err: error });
  };
  if (!explain) return { failed };
  const keys = new RecentMap<string, LastKey>(MAX_STEPS);
  const lastKey = (scope: string, name: string) =>
    keys.getOrMake(`${scope} ${name}`, () => ({ map: undefined, changed: undefined }));
  return {
    failed,
    keyed: ({ vertex, scope, map }) => {
      // That of a session is another each time.
      if (isVolatile(map.digest)) return;
      const last = lastKey(scope, vertex.name);
      const before = last.map;
      last.map = map;
      last.changed = before === undefined ? undefined : before.digest === map.digest ? [] : differing(before, map);
    },
    missed: ({ vertex, scope, jobs, miss }) => {
      const { changed } = lastKey(scope, vertex.name);
      log.debug('cache miss', {
        build: jobs[0],
        vertex: vertex.digest,
        step: vertex.name,
        ...reasonOf(vertex, miss),
        ...(changed === undefined || changed.length === 0 ? {} : { changed }),
      });
    },
    resulted: ({ vertex, jobs, found }) => {
      if (found === undefined) return;
      const cache = found === '' ? {} : { cache: found };
      log.debug('cache hit', { build: jobs[0], vertex: vertex.digest, step: vertex.name, ...cache });
    },
  };
}

function reasonOf(vertex: Vertex, miss: Miss): LogFields {
  const { kind } = miss;
  if (kind === 'differs') {
    const inputs = miss.inputs.slice(0, MOST_KEYED_INPUTS);
    return {
      why: kind,
      inputs: inputs.map(({ input, content }) => ({ step: vertex.inputs[input]!.vertex.name, content })),
    };
  }
  return kind === 'unreadable' ? { why: kind, cache: miss.cache, loss: miss.loss } : { why: kind };
}

/** In which of their parts two keys differ; values are the user's and stay out of the log. */
function differing(a: CacheMap, b: CacheMap): readonly string[] {
  const [before, after] = [valuesOf(a), valuesOf(b)];
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.filter((name) => before.get(name) !== after.get(name));
}

function valuesOf({ parts }: CacheMap): ReadonlyMap<string, string> {
  return new Map((parts?.() ?? []).map(({ kind, name, value }) => [name === '' ? kind : `${kind} ${name}`, value]));
}
