import type { ProgressModel, Step } from './model.ts';
import { formatBytes, formatSeconds, printable, truncate } from './text.ts';

interface TreeOptions {
  readonly width: number;
  readonly height: number;
  readonly now: number;
  readonly color: boolean;
}

interface Group {
  readonly title: string;
  readonly steps: Step[];
}

const paint = (color: boolean, code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);

/**
 * The build as a tree of stages and their steps, as lines for a terminal of the given size: running steps with their last output and rows,
 * finished ones with their time. A pure function of the model, so that a test can look at it. When it does not fit, finished groups fold first.
 */
export function renderTree(model: ProgressModel, options: TreeOptions): string[] {
  const { completed, total, cached } = model.counts();
  const head = `Building ${formatSeconds(model.elapsed)} (${completed}/${total} steps${cached > 0 ? `, ${cached} cached` : ''})`;
  const groups = groupSteps(model.started());
  for (const fold of [false, true]) {
    const lines = [head, ...groups.flatMap((group, at) => renderGroup(group, at === groups.length - 1, fold, options))];
    if (lines.length <= options.height || fold)
      return [lines[0] as string, ...lines.slice(1).slice(-(options.height - 1))];
  }
  return [head];
}

/** `[build 2/5] RUN make` belongs to `build`; steps with no stage stand by themselves. */
function groupSteps(steps: readonly Step[]): Group[] {
  const groups = new Map<string, Group>();
  for (const step of steps) {
    const stage =
      /^\[((?:[^\]]*\s)?[^\]\s]+) +\d+\/\d+\]/.exec(step.state.name)?.[1] ??
      /^\[(internal|auth)\]/.exec(step.state.name)?.[1];
    const key = stage ?? step.state.digest;
    const group = groups.get(key) ?? { title: stage ?? '', steps: [] };
    group.steps.push(step);
    groups.set(key, group);
  }
  return [...groups.values()];
}

const isDone = (step: Step) => step.state.completed !== undefined;
const stepTime = (step: Step, now: number) =>
  step.spent + (isDone(step) || step.state.started === undefined ? 0 : Math.max(0, now - step.state.started));

function renderGroup(group: Group, last: boolean, fold: boolean, options: TreeOptions): string[] {
  const branch = last ? '└─ ' : '├─ ';
  const indent = last ? '   ' : '│  ';
  if (group.title === '') return group.steps.flatMap((step) => renderStep(step, branch, indent, options));
  const time = group.steps.reduce((sum, step) => sum + stepTime(step, options.now), 0);
  const done = group.steps.every(isDone);
  if (fold && done && group.steps.every((step) => !step.state.error))
    return [
      line(
        `${branch}${mark(group.steps.at(-1) as Step, options)} ${group.title} (${group.steps.length} steps)`,
        time,
        options,
      ),
    ];
  return [
    truncate(`${branch}${group.title}`, options.width),
    ...group.steps.flatMap((step, at) => {
      const lastStep = at === group.steps.length - 1;
      return renderStep(step, indent + (lastStep ? '└─ ' : '├─ '), indent + (lastStep ? '   ' : '│  '), options);
    }),
  ];
}

function mark(step: Step, { color }: TreeOptions): string {
  if (step.state.error) return paint(color, 31, '✘');
  if (step.state.cached) return paint(color, 36, '●');
  return isDone(step) ? paint(color, 32, '✔') : paint(color, 33, '…');
}

function renderStep(step: Step, branch: string, indent: string, options: TreeOptions): string[] {
  const name = printable(step.state.name).replace(
    /^\[(?:(?:[^\]]*\s)?[^\]\s]+ +(\d+\/\d+)|internal|auth)\] */,
    (_, position?: string) => (position ? `${position} ` : ''),
  );
  const lines = [
    line(
      `${branch}${mark(step, options)} ${name}${step.state.cached ? ' (cached)' : step.missed === undefined ? '' : ` (${printable(step.missed)})`}`,
      stepTime(step, options.now),
      options,
    ),
  ];
  if (isDone(step) && !step.state.error) return lines;
  for (const row of step.rows.values())
    if (row.completed === undefined) {
      const size =
        row.total > 0
          ? `${formatBytes(row.current)} / ${formatBytes(row.total)}`
          : row.current > 0
            ? formatBytes(row.current)
            : '';
      lines.push(truncate(`${indent}  ${printable(row.id)} ${size}`, options.width));
    }
  const tail = step.tail.filter((text) => text !== '').slice(step.state.error ? -20 : -4);
  for (const text of tail) lines.push(truncate(`${indent}  ${printable(text)}`, options.width));
  return lines;
}

/** Text on the left, time on the right edge. Colour codes take no columns. */
function line(text: string, ms: number, { width }: TreeOptions): string {
  const time = formatSeconds(ms);
  const bare = text.replace(/\u001b\[\d+m/g, '');
  const space = width - time.length - 1;
  if (bare.length <= space) return `${text}${' '.repeat(space - bare.length)} ${time}`;
  return `${truncate(bare, space)} ${time}`;
}
