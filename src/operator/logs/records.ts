import { millisecondsOf, toNumber, type wire } from '../../builder-api/index.ts';

type StatusResponse = wire.moby.buildkit.v1.StatusResponse;

/** A line of a run's log, as `format=json` has it; times in milliseconds since the epoch. */
export type LogRecord =
  /** A try on a builder begins. */
  | { readonly kind: 'attempt'; readonly time: number; readonly attempt: number; readonly builder: string }
  | ({ readonly kind: 'step'; readonly inputs?: readonly string[] } & OfStep)
  | ({
      readonly kind: 'output';
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
      /** The line goes on in the next record of the step and stream. */
      readonly partial?: true;
    } & OfStep)
  | ({ readonly kind: 'warning'; readonly text: string } & OfStep)
  /** Part of a step that is done, e.g. a layer that was pulled. */
  | ({ readonly kind: 'progress'; readonly text: string; readonly bytes: number } & OfStep)
  | ({
      readonly kind: 'done';
      readonly started: number;
      readonly cached?: true;
      readonly error?: string;
    } & OfStep)
  /** Part of the log is not to be had. */
  | { readonly kind: 'missing'; readonly time: number; readonly text: string }
  /** The run is over. */
  | {
      readonly kind: 'run';
      readonly time: number;
      readonly run: string;
      readonly phase: string;
      readonly reason?: string;
      readonly message?: string;
    };

interface OfStep {
  readonly time: number;
  /** Its number in the log, from 1. */
  readonly step: number;
  /** Digest of its vertex. */
  readonly vertex: string;
  readonly name: string;
}

/** Characters of a line that are kept while its end has not come; a longer one is told in pieces. */
const MAX_PARTIAL = 16 * 1024;

interface Step {
  readonly number: number;
  readonly name: string;
  completed?: number;
}

interface Line {
  readonly decoder: TextDecoder;
  text: string;
}

/** What a builder tells of a solve, as lines: of steps that have begun, in the order in which they did. */
export class LogReader {
  readonly #steps = new Map<string, Step>();
  readonly #lines = new Map<string, Line>();

  read({ vertexes, statuses, logs, warnings }: StatusResponse): LogRecord[] {
    const records: LogRecord[] = [];
    const ended: StatusResponse['vertexes'] = [];
    for (const vertex of vertexes) {
      const { digest, name, inputs } = vertex;
      const started = millisecondsOf(vertex.started);
      if (digest == null || started === undefined) continue;
      if (!this.#steps.has(digest)) {
        const step = { number: this.#steps.size + 1, name: oneLine(name ?? '') };
        this.#steps.set(digest, step);
        const of = { time: started, step: step.number, vertex: digest, name: step.name };
        records.push({ kind: 'step', ...of, ...(inputs?.length ? { inputs } : {}) });
      }
      if (vertex.completed != null) ended.push(vertex);
    }
    for (const { vertex, stream, msg, timestamp } of logs) {
      const step = this.#steps.get(vertex ?? '');
      if (step === undefined || vertex == null) continue;
      const to = toNumber(stream) === 2 ? 'stderr' : 'stdout';
      this.#output({ step, vertex, to, time: millisecondsOf(timestamp) ?? 0 }, msg ?? new Uint8Array(), records);
    }
    for (const { vertex, id, current, completed } of statuses) {
      const step = this.#steps.get(vertex ?? '');
      const time = millisecondsOf(completed);
      if (step === undefined || vertex == null || time === undefined) continue;
      const of = { time, step: step.number, vertex, name: step.name };
      records.push({ kind: 'progress', ...of, text: oneLine(id ?? ''), bytes: toNumber(current) });
    }
    for (const { vertex, short } of warnings) {
      const step = this.#steps.get(vertex ?? '');
      const of = { time: 0, step: step?.number ?? 0, vertex: vertex ?? '', name: step?.name ?? '' };
      records.push({ kind: 'warning', ...of, text: oneLine(Buffer.from(short ?? []).toString('utf8')) });
    }
    for (const vertex of ended) this.#end(vertex, records);
    return records;
  }

  #end(vertex: StatusResponse['vertexes'][number], records: LogRecord[]): void {
    const digest = vertex.digest as string;
    const step = this.#steps.get(digest) as Step;
    const completed = millisecondsOf(vertex.completed) as number;
    // That a step which was said to be done is used from the cache is no news.
    if (step.completed === completed || (step.completed !== undefined && vertex.cached)) return;
    step.completed = completed;
    for (const to of ['stdout', 'stderr'] as const) {
      const line = this.#lines.get(`${digest}/${to}`);
      if (line === undefined) continue;
      this.#lines.delete(`${digest}/${to}`);
      const rest = line.text + line.decoder.decode();
      if (rest !== '') records.push(outputOf({ step, vertex: digest, to, time: completed }, rest));
    }
    records.push({
      kind: 'done',
      ...{ time: completed, step: step.number, vertex: digest, name: step.name },
      started: millisecondsOf(vertex.started) as number,
      ...(vertex.cached ? { cached: true } : {}),
      ...(vertex.error ? { error: vertex.error } : {}),
    });
  }

  #output(at: OutputAt, bytes: Uint8Array, records: LogRecord[]): void {
    const key = `${at.vertex}/${at.to}`;
    const line = this.#lines.get(key) ?? { decoder: new TextDecoder(), text: '' };
    this.#lines.set(key, line);
    const parts = (line.text + line.decoder.decode(bytes, { stream: true })).split('\n');
    line.text = parts.pop() as string;
    for (const part of parts) records.push(outputOf(at, part.endsWith('\r') ? part.slice(0, -1) : part));
    for (; line.text.length > MAX_PARTIAL; line.text = line.text.slice(MAX_PARTIAL))
      records.push({ ...outputOf(at, line.text.slice(0, MAX_PARTIAL)), partial: true });
  }
}

interface OutputAt {
  readonly step: Step;
  readonly vertex: string;
  readonly to: 'stdout' | 'stderr';
  readonly time: number;
}

function outputOf({ step, vertex, to, time }: OutputAt, text: string): Extract<LogRecord, { kind: 'output' }> {
  return { kind: 'output', time, step: step.number, vertex, name: step.name, stream: to, text };
}

const oneLine = (text: string): string => text.replace(/[\x00-\x1f\x7f]+/g, ' ');
