import type { ActiveVertex, Run } from './active.ts';
import type { OpContext } from './ports.ts';
import { allOf } from './progress.ts';

/** What the work of a run is given: the builds that want it now, whoever joined, and all whom what it does is shown to. */
export function runContext(run: Run, { owner, scope }: ActiveVertex): OpContext {
  const shownAs = () => [...run.vertices].map(({ history }) => history.progress);
  return {
    get signal() {
      return run.signal;
    },
    owner,
    sessions: () => run.sessions(),
    limits: () => run.limits(),
    scope: scope.write,
    progress: {
      status: (row) => shownAs().forEach((progress) => void progress.status(row)),
      log: (stream, data, audience) => allOf(shownAs().map((progress) => progress.log(stream, data, audience))),
      warn: (warning) => shownAs().forEach((progress) => void progress.warn(warning)),
    },
  };
}
