import type { AbortOptions } from '../../base/index.ts';
import type { ContentChanges } from '../../cache/contenthash/index.ts';
import type { KeyedOutput, Miss } from '../../solver/index.ts';
import { type DifferingPart, differingParts } from './earlier-steps.ts';
import type { RecordedVertex } from './recorded-keys.ts';

/**
 * Why a step was run.
 *
 * - `ignored`, `unkeyed`, `pruned`, `outOfScope`, `unreadable`: as the solver told ({@link Miss}).
 * - `first`: no record of an earlier build has a step like it.
 * - `part`: the first thing of its own that differs from the nearest one, and how many there are.
 * - `files`: the first of what it reads of `step` that does; `content`: that it does, and no more is known.
 * - `input`: `step`, which it stands on, gave something else.
 * - `together`: all that it stands on was there before, but not together.
 * - `unfinished`: the last time it came to no end. `gone`: it did, all is as it was, and nothing is left of it.
 */
export type Cause =
  | { readonly kind: 'ignored' | 'unkeyed' | 'pruned' | 'outOfScope' | 'first' | 'together' | 'unfinished' | 'gone' }
  | { readonly kind: 'unreadable'; readonly cache: string; readonly loss?: string }
  | { readonly kind: 'part'; readonly part: DifferingPart; readonly count: number }
  | { readonly kind: 'files'; readonly step: string; readonly changes: ContentChanges }
  | { readonly kind: 'content' | 'input'; readonly step: string };

interface CauseOptions extends AbortOptions {
  readonly earlier: RecordedVertex | undefined;
  /** The name of a step of this build. */
  readonly nameOf: (input: RecordedVertex['inputs'][number]) => string;
  /** What changed in an input; undefined where that is not known. */
  readonly changes: (
    before: RecordedVertex['inputs'][number],
    now: RecordedVertex['inputs'][number],
  ) => Promise<ContentChanges | undefined>;
}

/** The output whose miss speaks for the step. */
export function missedOutput({ outputs }: RecordedVertex): (KeyedOutput & { readonly miss: Miss }) | undefined {
  return outputs.find((output): output is KeyedOutput & { readonly miss: Miss } => output.miss !== undefined);
}

export async function causeOf(vertex: RecordedVertex, miss: Miss, options: CauseOptions): Promise<Cause> {
  const { earlier, nameOf } = options;
  switch (miss.kind) {
    case 'ignored':
    case 'unkeyed':
    case 'pruned':
    case 'outOfScope':
      return { kind: miss.kind };
    case 'unreadable':
      return { kind: 'unreadable', cache: miss.cache, ...(miss.loss === undefined ? {} : { loss: miss.loss }) };
    case 'differs': {
      const told = miss.inputs.map(({ input, content }) => ({ input, content }));
      const cause = await firstInput(vertex, told, options);
      if (cause !== undefined) return cause;
      const [only, ...others] = miss.inputs;
      const input = only === undefined ? undefined : vertex.inputs[only.input];
      if (only === undefined || input === undefined || others.length > 0) return { kind: 'together' };
      return { kind: only.content ? 'content' : 'input', step: nameOf(input) };
    }
    case 'new': {
      if (earlier === undefined) return { kind: 'first' };
      const [part, ...others] = differingParts(vertex, earlier);
      if (part !== undefined) return { kind: 'part', part, count: others.length + 1 };
      const all = vertex.inputs.map(({ content }, input) => ({ input, content: content !== undefined }));
      const cause = await firstInput(vertex, all, options);
      if (cause !== undefined) return cause;
      return { kind: earlier.outputs.every(({ keys }) => keys.length === 0) ? 'unfinished' : 'gone' };
    }
  }
}

/** The first of these inputs that is seen to be another than it was. */
async function firstInput(
  vertex: RecordedVertex,
  inputs: readonly { readonly input: number; readonly content: boolean }[],
  { earlier, nameOf, changes }: CauseOptions,
): Promise<Cause | undefined> {
  if (earlier === undefined) return undefined;
  const [output, before] = [missedOutput(vertex), earlier.outputs.find(({ ground }) => ground.length > 0)];
  for (const { input: i, content } of inputs) {
    const [now, was] = [vertex.inputs[i], earlier.inputs[i]];
    if (now === undefined || was === undefined) continue;
    if (content && now.content !== undefined && was.content !== undefined) {
      if (now.content === was.content) continue;
      const found = await changes(was, now);
      return found === undefined || found.count === 0
        ? { kind: 'content', step: nameOf(now) }
        : { kind: 'files', step: nameOf(now), changes: found };
    }
    const [keys, earlierKeys] = [output?.ground[i], before?.ground[i]];
    if (keys === undefined || earlierKeys === undefined || keys.some((key) => earlierKeys.includes(key))) continue;
    return { kind: 'input', step: nameOf(now) };
  }
  return undefined;
}
