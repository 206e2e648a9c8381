import type { ActiveVertex, Run } from './active.ts';
import type { OpContext, Remains } from './ports.ts';
import { allOf } from './progress.ts';

/** What the work of a run is given: the builds that want it now, whoever joined, and all whom what it does is shown to. */
export function runContext(run: Run, { owner, scope, vertex }: ActiveVertex): OpContext {
  const shownAs = () => [...run.vertices].map(({ history }) => history.progress);
  return {
    get signal() {
      return run.signal;
    },
    owner,
    sessions: () => run.sessions(),
    limits: () => run.limits(),
    scope: scope.write,
    get leave() {
      const keep = [...run.builds()].flatMap(({ keepRemains = [] }) => keepRemains);
      return keep.length === 0 ? undefined : (remains: Remains) => keep.forEach((each) => void each(vertex, remains));
    },
    progress: {
      status: (row) => shownAs().forEach((progress) => void progress.status(row)),
      log: (stream, data, audience) => allOf(shownAs().map((progress) => progress.log(stream, data, audience))),
      warn: (warning) => shownAs().forEach((progress) => void progress.warn(warning)),
    },
  };
}
