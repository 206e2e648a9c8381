import type { GraphStep, LlbGraph } from '../../resources/index.ts';
import { fault } from './fields.ts';

/** A step that another names, and the field that does. */
interface Use {
  readonly field: string;
  readonly text: string;
}

export const GRAPH_FIELD = 'spec.llb.graph';
export const stepField = (name: string): string => `${GRAPH_FIELD}.steps.${name}`;

/** `step`, or `step:/target`. */
export function splitInput(text: string): { readonly name: string; readonly target: string | undefined } {
  const colon = text.indexOf(':');
  return colon < 0 ? { name: text, target: undefined } : { name: text.slice(0, colon), target: text.slice(colon + 1) };
}

/** All steps that a step names, by field. */
function usesOf(step: GraphStep, field: string): Use[] {
  const uses: Use[] = [];
  const add = (at: string, text: string | undefined) => {
    if (text !== undefined) uses.push({ field: `${field}.${at}`, text });
  };
  add('from', step.from);
  for (const [at, { from }] of (step.mounts ?? []).entries()) add(`mounts[${at}].from`, from);
  for (const [at, { copy }] of (step.actions ?? []).entries()) add(`actions[${at}].copy.from`, copy?.from);
  for (const [at, text] of (step.merge ?? []).entries()) add(`merge[${at}]`, text);
  add('diff.lower', step.diff?.lower);
  add('diff.upper', step.diff?.upper);
  return uses;
}

/** All steps, each after those that it names; equal graphs in equal order. @throws CodedError for names that are not there and for circles, naming the field */
export function stepsInOrder({ steps, result }: LlbGraph): readonly (readonly [string, GraphStep])[] {
  const find = ({ field, text }: Use): string | undefined => {
    const { name } = splitInput(text);
    if (name === 'scratch') {
      if (text === name) return undefined;
      throw fault(field, 'scratch has no mounts');
    }
    if (Object.hasOwn(steps, name)) return name;
    throw fault(field, `there is no step ${JSON.stringify(name)}; there are ${shown(Object.keys(steps).sort())}`);
  };
  find({ field: `${GRAPH_FIELD}.result`, text: result });
  const order: (readonly [string, GraphStep])[] = [];
  const state = new Map<string, 'open' | 'done'>();
  // By a stack of its own: a chain may be as long as the graph.
  const open: { readonly name: string; readonly uses: readonly Use[]; next: number }[] = [];
  const enter = (name: string) => {
    state.set(name, 'open');
    open.push({ name, uses: usesOf(steps[name] as GraphStep, stepField(name)), next: 0 });
  };
  for (const first of Object.keys(steps).sort()) {
    if (!state.has(first)) enter(first);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const use = top.uses[top.next++];
      if (use === undefined) {
        open.pop();
        state.set(top.name, 'done');
        order.push([top.name, steps[top.name] as GraphStep]);
        continue;
      }
      const name = find(use);
      if (name === undefined || state.get(name) === 'done') continue;
      if (state.get(name) === 'open') {
        const circle = open.slice(open.findIndex((one) => one.name === name)).map((one) => one.name);
        throw fault(use.field, `the steps go in a circle: ${shown([...circle, name], ' needs ')}`);
      }
      enter(name);
    }
  }
  return order;
}

function shown(names: readonly string[], separator = ', '): string {
  return names.length <= 12 ? names.join(separator) : `${names.slice(0, 12).join(separator)}${separator}…`;
}
