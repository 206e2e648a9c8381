import type { Digest } from '../../base/index.ts';
import type { VertexEvent, VertexState, VertexWarning } from '../../solver/ports.ts';

/** What a build's displays are told: what solving emits, and why steps missed the cache. */
export type ProgressEvent =
  | VertexEvent
  | {
      readonly kind: 'missed';
      readonly vertex: Digest;
      /** As builders name it, e.g. `files`, `input`, `unkeyed`. */
      readonly cause: string;
      readonly text: string;
      readonly short: string;
    };

/** A progress row inside a step, e.g. a layer being pulled. */
interface Row {
  readonly id: string;
  readonly current: number;
  readonly total: number;
  readonly started: number | undefined;
  readonly completed: number | undefined;
}

/** A step as the displays see it. Times in ms since the epoch. */
export interface Step {
  /** Order of first appearance, from 1. */
  readonly number: number;
  state: VertexState;
  /** Time spent, summed over all intervals that have ended. */
  spent: number;
  readonly rows: Map<string, Row>;
  /** The last lines of output, oldest first. */
  readonly tail: string[];
  /** Why it missed the cache, in a few words. */
  missed?: string;
}

const TAIL_LINES = 40;
/** Names of what is no step of the graph that was asked for. */
const AROUND = /^(\[internal\]|\[auth\]|exporting |importing |resolve )|^\[[^\]]*\] load metadata for /;

/** What is known of a build from its events; feeds every display and the summary. */
export class ProgressModel {
  readonly steps = new Map<Digest, Step>();
  readonly warnings: VertexWarning[] = [];
  #started: number | undefined;
  #last = 0;

  /** Ms from the first to the last thing seen. */
  get elapsed(): number {
    return this.#started === undefined ? 0 : Math.max(0, this.#last - this.#started);
  }

  apply(event: ProgressEvent): Step | undefined {
    switch (event.kind) {
      case 'vertex':
        return this.#vertex(event.vertex);
      case 'status': {
        const step = this.steps.get(event.vertex);
        step?.rows.set(event.id, {
          id: event.id,
          current: event.current,
          total: event.total,
          started: event.started,
          completed: event.completed,
        });
        this.#seen(event.timestamp);
        return step;
      }
      case 'log': {
        const step = this.steps.get(event.vertex);
        if (step !== undefined) appendLines(step.tail, Buffer.from(event.data).toString('utf8'));
        this.#seen(event.timestamp);
        return step;
      }
      case 'missed': {
        const step = this.steps.get(event.vertex);
        if (step !== undefined && event.short !== '') step.missed = event.short;
        return step;
      }
      case 'warning':
        this.warnings.push(event.warning);
        return this.steps.get(event.vertex);
    }
  }

  /** Steps that people wait for, in order of appearance: those that have started. */
  started(): Step[] {
    return [...this.steps.values()].filter((step) => step.state.started !== undefined);
  }

  /** Of the build's own steps; what frontends and exporters do around them does not count. */
  counts(): { total: number; completed: number; cached: number } {
    const all = [...this.steps.values()].filter((step) => !AROUND.test(step.state.name));
    return {
      total: all.length,
      completed: all.filter((step) => step.state.completed !== undefined).length,
      cached: all.filter((step) => step.state.cached).length,
    };
  }

  #vertex(state: VertexState): Step {
    const known = this.steps.get(state.digest);
    const step = known ?? { number: this.steps.size + 1, state, spent: 0, rows: new Map(), tail: [] };
    if (known === undefined) this.steps.set(state.digest, step);
    const before = known?.state;
    step.state = { ...state, cached: state.cached || before?.cached === true };
    // One vertex may have several intervals (probing, running, exporting): they add up.
    if (state.started !== undefined && state.completed !== undefined && before?.completed !== state.completed)
      step.spent += Math.max(0, state.completed - state.started);
    if (state.started !== undefined) this.#seen(state.started);
    if (state.completed !== undefined) this.#seen(state.completed);
    return step;
  }

  #seen(time: number): void {
    this.#started = Math.min(this.#started ?? time, time);
    this.#last = Math.max(this.#last, time);
  }
}

function appendLines(tail: string[], text: string): void {
  const parts = text.split('\n');
  const first = parts.shift() ?? '';
  // The last entry is the line still being written; output that ends in \n leaves an empty one.
  if (tail.length === 0) tail.push(first);
  else tail[tail.length - 1] += first;
  tail.push(...parts);
  for (let at = 0; at < tail.length; at++)
    if ((tail[at] as string).length > 4096) tail[at] = (tail[at] as string).slice(-4096);
  if (tail.length > TAIL_LINES) tail.splice(0, tail.length - TAIL_LINES);
}
