import { invalidArgument } from '../base/index.ts';
import { type Location, located } from './location.ts';
import type { StageState } from './stage-state.ts';

/** @throws CodedError naming the stage that needs itself */
export function checkCycles(states: readonly StageState[]): void {
  const done = new Set<StageState>();
  for (const start of states) {
    const open: { state: StageState; rest: Iterator<[StageState, Location]> }[] = [];
    const onPath = new Set<StageState>();
    const enter = (state: StageState) => {
      onPath.add(state);
      open.push({ state, rest: state.dependencies.entries() });
    };
    if (!done.has(start)) enter(start);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.rest.next();
      if (next.done) {
        open.pop();
        onPath.delete(top.state);
        done.add(top.state);
        continue;
      }
      const [dependency, location] = next.value;
      if (onPath.has(dependency))
        throw located(invalidArgument(`circular dependency detected on stage: ${start.displayName}`), location);
      if (!done.has(dependency)) enter(dependency);
    }
  }
}
