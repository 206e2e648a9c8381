import { neverAborted } from '../../../base/index.ts';
import type { VertexState } from '../../../solver/index.ts';
import type { BuildObserver } from '../solve.ts';

/** What a build told of its steps, by their names. */
export interface ToldSteps {
  readonly cached: readonly string[];
  readonly ran: readonly string[];
  readonly failed: readonly string[];
  readonly warnings: readonly string[];
}

/** Watches one build; `told` waits for its end. */
export function watchSteps(): { readonly observer: BuildObserver; readonly told: () => Promise<ToldSteps> } {
  const states = new Map<string, VertexState>();
  const warnings: string[] = [];
  let watching: Promise<void> | undefined;
  const observer: BuildObserver = ({ build }) => {
    watching = (async () => {
      for await (const events of build.job.watch({ signal: neverAborted }))
        for (const event of events) {
          if (event.kind === 'vertex') states.set(event.vertex.digest, event.vertex);
          if (event.kind === 'warning') warnings.push(event.warning.short);
        }
    })();
    return {};
  };
  const told = async (): Promise<ToldSteps> => {
    await watching;
    const all = [...states.values()];
    const names = (of: typeof all) => of.map(({ name }) => name);
    return {
      cached: names(all.filter(({ cached }) => cached)),
      ran: names(all.filter(({ started, cached, error }) => started !== undefined && !cached && error === undefined)),
      failed: names(all.filter(({ error }) => error !== undefined)),
      warnings,
    };
  };
  return { observer, told };
}
