import type { LogQuery } from './query.ts';
import type { LogRecord } from './records.ts';

type Wanted = Pick<LogQuery, 'since' | 'step' | 'timestamps' | 'format'>;

/** Lines of the log that a query wants of these records, each with its end. */
export function logLines(records: readonly LogRecord[], query: Wanted): string[] {
  const lines: string[] = [];
  for (const record of records) {
    if (query.since !== undefined && record.time !== 0 && record.time < query.since) continue;
    if (query.step !== undefined && !isOfStep(record, query.step)) continue;
    if (query.format === 'json') lines.push(`${JSON.stringify(record)}\n`);
    else lines.push(...plainLines(record, query.timestamps));
  }
  return lines;
}

function isOfStep(record: LogRecord, step: string): boolean {
  if (!('vertex' in record)) return record.kind === 'missing';
  if (/^#?[0-9]+$/.test(step)) return record.step === Number(step.replace('#', ''));
  return record.name.toLowerCase().includes(step.toLowerCase()) || record.vertex === step;
}

/** The form that readers of `--progress=plain` know. */
function plainLines(record: LogRecord, timestamps: boolean): string[] {
  const at = timestamps ? `${new Date(record.time).toISOString()} ` : '';
  const line = (text: string) => `${at}${text}\n`;
  switch (record.kind) {
    case 'attempt':
      return [line(`attempt ${record.attempt} on ${record.builder}`)];
    case 'step':
      return [line(`#${record.step} ${record.name}`)];
    case 'output':
      return [line(`#${record.step} ${record.text}`)];
    case 'progress':
      return [line(`#${record.step} ${record.text}${record.bytes > 0 ? ` ${record.bytes}B` : ''} done`)];
    case 'warning':
      return [line(`#${record.step} WARN: ${record.text}`)];
    case 'done':
      if (record.error !== undefined) return [line(`#${record.step} ERROR: ${record.error}`)];
      if (record.cached) return [line(`#${record.step} CACHED`)];
      return [line(`#${record.step} DONE ${(Math.max(0, record.time - record.started) / 1000).toFixed(1)}s`)];
    case 'missing':
      return [line(`[${record.text}]`)];
    case 'run': {
      const why = record.message === undefined ? '' : `: ${record.message}`;
      return [line(`${record.run} ${record.phase}${why}`)];
    }
  }
}

/** Cuts what goes beyond so many bytes of UTF-8, at the end of a character. */
export function clipBytes(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && ((encoded[end] as number) & 0xc0) === 0x80) end--;
  return encoded.subarray(0, end).toString('utf8');
}
