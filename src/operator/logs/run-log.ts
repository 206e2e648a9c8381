import { type AbortOptions, CodedError, onAbort, sleep, toCodedError } from '../../base/index.ts';
import { type Attempt, isOver } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import type { Informer, KeyText } from '../runtime/index.ts';
import type { LogQuery } from './query.ts';
import { LogReader, type LogRecord } from './records.ts';
import type { AttemptLog } from './sources.ts';
import { clipBytes, logLines } from './text.ts';

export interface RunLogParts {
  readonly runs: Informer<KnownRun>;
  readonly attemptLog: AttemptLog;
}

const AGAIN_MS = 1000;

/**
 * The log of a run as text, in portions: of all its attempts in order, and with `follow` what comes until it is over. Nothing of it is kept here: its reader has it read from where it is at the
 * reader's pace. For the last lines it is read twice, once to count. @throws CodedError when nothing of it is to be had
 */
export async function* runLogText(
  parts: RunLogParts,
  run: KnownRun,
  query: LogQuery,
  { signal }: AbortOptions,
): AsyncGenerator<string, void> {
  let skip = 0;
  if (query.tailLines !== undefined) {
    for await (const records of runRecords(parts, run, { ...query, follow: false }, { signal }))
      skip += logLines(records, query).length;
    skip = Math.max(0, skip - query.tailLines);
  }
  let left = query.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const records of runRecords(parts, run, query, { signal })) {
    const lines = logLines(records, query);
    const text = lines.slice(skip).join('');
    skip = Math.max(0, skip - lines.length);
    if (text === '') continue;
    yield clipBytes(text, left);
    left -= Buffer.byteLength(text);
    if (left <= 0) return;
  }
}

async function* runRecords(
  parts: RunLogParts,
  run: KnownRun,
  query: Pick<LogQuery, 'follow' | 'attempt'>,
  { signal }: AbortOptions,
): AsyncGenerator<readonly LogRecord[], void> {
  const key: KeyText = `${run.metadata.namespace}/${run.metadata.name}`;
  const { uid } = run.metadata;
  const { runs } = parts;
  const now = (): KnownRun => {
    const found = runs.get(key);
    if (found === undefined || found.metadata.uid !== uid)
      throw new CodedError('not_found', `the BuildRun ${key} is no more`, { fault: 'user' });
    return found;
  };
  for (let told = 0; ; ) {
    const known = now();
    const attempts = known.status?.attempts ?? [];
    const attempt = attempts[told];
    if (attempt === undefined) {
      if (isOver(known.status?.phase)) {
        if (query.attempt === undefined) yield [endOf(known)];
        return;
      }
      if (!query.follow) return;
      await changeOf(runs, key, () => now() !== known, { signal });
      continue;
    }
    told++;
    if (query.attempt !== undefined && attempt.number !== query.attempt) continue;
    if (attempts.length > 1) yield [headOf(attempt)];
    const current = () => now().status?.attempts?.[told - 1] ?? attempt;
    const only = attempts.length === 1 || query.attempt !== undefined;
    yield* attemptRecords(parts.attemptLog, known, { current, only, follow: query.follow }, { signal });
  }
}

/** One attempt's, from wherever it is; a place that is lost is left, or asked again while the attempt may be there still. */
async function* attemptRecords(
  attemptLog: AttemptLog,
  run: KnownRun,
  { current, only, follow }: { readonly current: () => Attempt; readonly only: boolean; readonly follow: boolean },
  { signal }: AbortOptions,
): AsyncGenerator<readonly LogRecord[], void> {
  for (let told = 0; ; ) {
    const attempt = current();
    const goesOn = attempt.completedAt === undefined;
    try {
      let skip = told;
      const reader = new LogReader();
      for await (const response of attemptLog(run, attempt, { signal, follow: follow && goesOn })) {
        const all = reader.read(response);
        const records = all.slice(skip);
        skip = Math.max(0, skip - all.length);
        told += records.length;
        if (records.length > 0) yield records;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      const coded = toCodedError(error);
      if (follow && goesOn && (coded.code === 'unavailable' || coded.code === 'cancelled')) {
        await sleep(AGAIN_MS, { signal });
        continue;
      }
      if (told === 0 && only && !follow) throw error;
      const text = `the log of attempt ${attempt.number} ${told === 0 ? 'is' : 'goes on, but is'} not to be had: ${coded.message}`;
      yield [{ kind: 'missing', time: Date.now(), text }];
      return;
    }
  }
}

function headOf({ number, builder, startedAt }: Attempt): LogRecord {
  return { kind: 'attempt', time: Date.parse(startedAt), attempt: number, builder };
}

function endOf({ metadata, status }: KnownRun): LogRecord {
  const { phase = 'Pending', failure, completedAt } = status ?? {};
  return {
    kind: 'run',
    time: completedAt === undefined ? 0 : Date.parse(completedAt),
    run: metadata.name,
    phase,
    ...(failure === undefined ? {} : { reason: failure.reason, message: failure.message }),
  };
}

/** Settles when news of the object have made it so. */
export async function changeOf<T extends KnownRun>(
  informer: Informer<T>,
  key: KeyText | undefined,
  isSo: () => boolean,
  { signal }: AbortOptions,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = () => {
    try {
      if (isSo()) resolve();
    } catch (error) {
      reject(error);
    }
  };
  using _listener = informer.onChange(({ object: { metadata } }) => {
    if (key === undefined || key === `${metadata.namespace}/${metadata.name}`) look();
  });
  look();
  using aborted = onAbort(signal);
  await Promise.race([promise, aborted.promise]);
}
