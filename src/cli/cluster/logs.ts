import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { CodedError, type Digest, systemClock } from '../../base/index.ts';
import { type Cluster, isNoApi, type LogRecord } from '../../operator/index.ts';
import type { BuildRun } from '../../resources/index.ts';
import type { CliIo } from '../io.ts';
import { openDisplay } from '../progress/display.ts';
import type { ProgressEvent } from '../progress/model.ts';
import { renderSummary } from '../progress/summary.ts';
import { printable } from '../progress/text.ts';
import type { LogsCommand } from './command.ts';
import { endOf, failureText } from './describe.ts';
import { ended } from './runs.ts';

type Shown = Omit<LogsCommand, 'kind' | 'cluster' | 'named'>;

/** The log of a run; followed, to its end, with which the command ends. @throws CodedError, also for a run that did not succeed */
export async function showLogs(cluster: Cluster, run: BuildRun, shown: Shown, io: CliIo): Promise<void> {
  const { follow, progress, step, sinceSeconds, tail, attempt, timestamps } = shown;
  const asTree = progress === 'tty' || (progress === 'auto' && follow && io.stdout.isTTY);
  const query = {
    follow: String(follow),
    format: asTree || progress === 'json' ? 'json' : 'plain',
    timestamps: String(timestamps),
    step,
    sinceSeconds: sinceSeconds?.toString(),
    tailLines: tail?.toString(),
    attempt: attempt?.toString(),
  };
  const { name } = run.metadata;
  let told: Error | undefined;
  try {
    const bytes = Readable.from(cluster.log(run, query, io), { objectMode: true });
    if (asTree) await showTree(bytes, io);
    else if (progress === 'json' || !io.stdout.isTTY) await copy(bytes, io);
    else for await (const line of lines(bytes)) io.stdout.write(`${printable(line)}\n`);
  } catch (error) {
    io.signal.throwIfAborted();
    if (!isNoApi(error)) throw error;
    told = error as Error;
    io.stderr.write(
      `the cluster serves no logs of builds (${printable(told.message)}); what is known of ${name} without them:\n`,
    );
  }
  if (!follow && told === undefined) return;
  const over = follow ? await ended(cluster, name, io) : run;
  if (told !== undefined) io.stdout.write(`${endOf(over)}\n${failureText(over)}`);
  if (follow) throwFailure(over);
}

/** @throws CodedError of a run that is over and did not succeed */
function throwFailure({ metadata, status }: BuildRun): void {
  const { phase, failure } = status ?? {};
  if (phase === 'Succeeded') return;
  const code = { Failed: 'failed_precondition', Error: 'unavailable', Cancelled: 'cancelled' } as const;
  const fault = { Failed: 'user', Error: 'infrastructure', Cancelled: 'cancelled' } as const;
  const of = phase === 'Error' || phase === 'Cancelled' ? phase : 'Failed';
  throw new CodedError(code[of], `${metadata.name}: ${failure?.reason ?? phase}: ${failure?.message ?? ''}`, {
    fault: fault[of],
  });
}

async function showTree(bytes: Readable, io: CliIo): Promise<void> {
  const display = openDisplay('tty', io.stdout, systemClock.now);
  try {
    for await (const line of lines(bytes))
      for (const event of eventsOf(JSON.parse(line) as LogRecord)) display.event(event);
  } finally {
    display[Symbol.dispose]();
  }
  io.stdout.write(`${renderSummary(display.model, io.stdout.columns).join('\n')}\n`);
}

function lines(bytes: Readable): AsyncIterable<string> {
  return createInterface({ input: bytes, crlfDelay: Number.POSITIVE_INFINITY });
}

async function copy(bytes: Readable, io: CliIo): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of bytes as AsyncIterable<Uint8Array>)
    io.stdout.write(decoder.decode(chunk, { stream: true }));
  io.stdout.write(decoder.decode());
}

/** What displays read, of a record of the log. */
function eventsOf(record: LogRecord): readonly ProgressEvent[] {
  switch (record.kind) {
    case 'step': {
      const { name, time, inputs } = record;
      const vertex = { digest: record.vertex as Digest, inputs: (inputs ?? []) as Digest[], name, cached: false };
      return [{ kind: 'vertex', vertex: { ...vertex, started: time } }];
    }
    case 'output': {
      const data = Buffer.from(record.partial ? record.text : `${record.text}\n`);
      const stream = record.stream === 'stderr' ? 2 : 1;
      return [{ kind: 'log', vertex: record.vertex as Digest, stream, data, timestamp: record.time }];
    }
    case 'progress': {
      const { text, bytes, time } = record;
      const row = { id: text, name: text, current: bytes, total: 0, timestamp: time, completed: time };
      return [{ kind: 'status', vertex: record.vertex as Digest, ...row }];
    }
    case 'warning': {
      const warning = { level: 1, short: record.text, detail: [] };
      return [{ kind: 'warning', vertex: record.vertex as Digest, warning }];
    }
    case 'done': {
      const { vertex: digest, name, cached = false, started, time, error } = record;
      const state = { digest: digest as Digest, inputs: [], name, cached, started, completed: time };
      return [{ kind: 'vertex', vertex: { ...state, ...(error === undefined ? {} : { error }) } }];
    }
    default:
      return [];
  }
}
