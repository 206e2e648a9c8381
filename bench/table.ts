import { readFileSync, writeFileSync } from 'node:fs';
import type { Fact } from './facts.ts';
import type { Measured, Rounds } from './measure.ts';

/** Two decimals where they tell something. */
export const number = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0));

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1]!;
const least = (list: readonly number[]) => Math.min(...list);
const most = (list: readonly number[]) => Math.max(...list);

const cells = (...each: readonly string[]) => `| ${each.join(' | ')} |`;

/** A table in Markdown. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [cells(...head), cells(...head.map(() => '---')), ...rows.map((row) => cells(...row))].join('\n');
}

function rowOf({ row, rounds }: Measured): readonly string[] {
  const [ours, theirs] = rounds as readonly [Rounds, Rounds];
  const ratio = least(ours.seconds) / least(theirs.seconds);
  const pair = (of: (each: Rounds) => number) => `${number(of(ours))} / ${number(of(theirs))}`;
  return [
    row.name,
    row.goal.toFixed(2),
    `**${ratio.toFixed(2)}**${ratio > row.goal ? ' missed' : ''}`,
    (median(ours.seconds) / median(theirs.seconds)).toFixed(2),
    pair((each) => least(each.seconds)),
    pair((each) => least(each.cpuSeconds)),
    number(least([...ours.clientCpuSeconds, ...theirs.clientCpuSeconds])),
    pair((each) => most(each.peakMib)),
    String(row.rounds),
  ];
}

export function rowsTable(rows: readonly Measured[]): string {
  return tableOf(
    ['work', 'goal', 'ratio', 'of medians', 's', "daemon's CPU, s", "clients' CPU, s", 'peak, MiB', 'rounds'],
    rows.map(rowOf),
  );
}

export function factsTable(facts: readonly Fact[]): string {
  return tableOf(
    ['what', 'goal', 'Slipway', 'buildkitd'],
    facts.map(({ name, unit, goal, values: [ours, theirs] }) => [
      `${name}, ${unit}`,
      String(goal),
      `**${number(ours!)}**${ours! > goal ? ' missed' : ''}`,
      theirs === undefined ? '' : number(theirs),
    ]),
  );
}

/** Puts what was measured where the page has the tables of the run before of this script. */
export function writeBetweenMarks(page: string, text: string, script: string): void {
  const before = readFileSync(page, 'utf8');
  const [begin, end] = [`<!-- npm run ${script}: begin -->`, `<!-- npm run ${script}: end -->`];
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${page} has no place for the tables`);
  writeFileSync(page, `${before.slice(0, from + begin.length)}\n\n${text}\n\n${before.slice(to)}`);
}
