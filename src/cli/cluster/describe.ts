import type { BuildRun } from '../../resources/index.ts';
import { formatBytes, printable } from '../progress/text.ts';

/** A run for a person who has nothing else to look at. */
export function describeRun(run: BuildRun): string {
  const { metadata, spec, status = {} } = run;
  const lines: string[] = [];
  const field = (name: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '') lines.push(`${`${name}:`.padEnd(12)} ${printable(String(value))}`);
  };
  field('Run', `${metadata.namespace}/${metadata.name}`);
  field('Build', `${spec.buildRef.name}, run ${spec.number}`);
  field('Phase', status.phase ?? 'Pending');
  field('Queue', status.queue === undefined ? undefined : `position ${status.queue.position}`);
  field('Queued', status.queuedAt);
  field('Started', status.startedAt);
  field('Completed', status.completedAt);
  field('Commit', status.resolved?.commit);
  for (const { name, digest } of status.resolved?.baseImages ?? []) field('Base', `${name}@${digest}`);
  for (const { image, tags = [], digest, size } of status.outputs ?? []) {
    const tagged = tags.length === 0 ? '' : ` (${tags.join(', ')})`;
    field('Image', `${image}@${digest}${tagged}${size === undefined ? '' : `, ${formatBytes(size)}`}`);
  }
  const { cache } = status;
  if (cache !== undefined) field('Cache', `${cache.hits} of ${cache.vertices} steps`);
  for (const { name, duration } of status.slowestSteps ?? []) field('Slow', `${duration.padStart(8)}  ${name}`);
  for (const { number, builder, reason, message } of status.attempts ?? [])
    field('Attempt', `${number} on ${builder}: ${[reason ?? 'runs', message].filter(Boolean).join(': ')}`);
  for (const { type, status: is, reason, message } of status.conditions ?? [])
    field('Condition', `${type} ${is}: ${reason}: ${message}`);
  return `${lines.join('\n')}\n${failureText(run)}`;
}

/** One line: how it stands. */
export function endOf({ metadata, status }: BuildRun): string {
  const { phase = 'Pending', failure, conditions } = status ?? {};
  const waits = conditions?.find(({ status: is, type }) => is === 'False' && type !== 'Succeeded');
  const why = failure ?? (phase === 'Pending' || phase === 'Queued' ? waits : undefined);
  return printable(`${metadata.name} ${phase}${why === undefined ? '' : `: ${why.reason}: ${why.message}`}`);
}

/** Why it failed: the step, its place in the Dockerfile and the last of what it printed; empty for one that did not. */
export function failureText({ status }: BuildRun): string {
  const failure = status?.failure;
  if (failure === undefined) return '';
  const { reason, message, step, exitCode, dockerfile, logTail } = failure;
  const lines = ['', `${reason}: ${message}`];
  if (step !== undefined) lines.push(`  in ${step}${exitCode === undefined ? '' : `, which ended with ${exitCode}`}`);
  if (dockerfile !== undefined) {
    lines.push(`  ${dockerfile.path ?? 'Dockerfile'}:${dockerfile.startLine}`);
    if (dockerfile.snippet !== undefined) lines.push(...indented(dockerfile.snippet));
  }
  if (logTail !== undefined && logTail !== '') lines.push('  the last that it printed:', ...indented(logTail));
  return `${lines.map(printable).join('\n')}\n`;
}

const indented = (text: string): readonly string[] =>
  text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `    ${line}`);
