import { expect, test } from 'vitest';
import { CodedError, neverAborted as signal } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import type { Attempt, BuildRun } from '../../resources/index.ts';
import { type KnownRun, knownRunType } from '../known.ts';
import { MemoryApi } from '../testing/memory-api.ts';
import { parseLogQuery } from './query.ts';
import { LogReader } from './records.ts';
import { type RunLogParts, runLogText } from './run-log.ts';
import type { AttemptLog } from './sources.ts';
import { clipBytes } from './text.ts';

const { StatusResponse } = wire.moby.buildkit.v1;
const at = (ms: number) => ({ seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 });
const T0 = Date.parse('2026-01-31T12:00:00Z');

const begins = (digest: string, name: string, ms: number) =>
  new StatusResponse({ vertexes: [{ digest, name, started: at(T0 + ms) }] });
const prints = (vertex: string, text: string, ms: number, stream = 1) =>
  new StatusResponse({ logs: [{ vertex, stream, msg: Buffer.from(text), timestamp: at(T0 + ms) }] });
const ends = (digest: string, name: string, from: number, to: number, more: object = {}) =>
  new StatusResponse({ vertexes: [{ digest, name, started: at(T0 + from), completed: at(T0 + to), ...more }] });

const LOG = [
  begins('sha256:a', '[1/2] FROM base', 0),
  ends('sha256:a', '[1/2] FROM base', 0, 100, { cached: true }),
  begins('sha256:b', '[2/2] RUN make', 1000),
  prints('sha256:b', 'one\ntw', 1100),
  prints('sha256:b', 'o\n', 2000),
  prints('sha256:b', 'oops', 3000, 2),
  ends('sha256:b', '[2/2] RUN make', 1000, 4000, { error: 'exit code: 1' }),
];

const query = (text: string) => parseLogQuery(new URLSearchParams(text), T0 + 10_000);

/** A run with these attempts, whose logs are what `attemptLog` gives. */
async function world(attemptLog: AttemptLog, status: object) {
  const api = new MemoryApi();
  const put = (next: object) =>
    api.put('buildruns', {
      apiVersion: 'slipway.build/v1alpha1',
      kind: 'BuildRun',
      metadata: { name: 'app-1', namespace: 'a', uid: 'u' },
      spec: { buildRef: { name: 'app' }, number: 1, hash: 'h', buildSpec: { dockerfile: { inline: 'FROM scratch' } } },
      status: next,
    } as BuildRun);
  put(status);
  const runs = await api.informer(knownRunType);
  const parts: RunLogParts = { runs, attemptLog };
  const text = async (of: string) => {
    let all = '';
    for await (const portion of runLogText(parts, runs.get('a/app-1') as KnownRun, query(of), { signal }))
      all += portion;
    return all;
  };
  return { text, put, [Symbol.dispose]: () => api[Symbol.dispose]() };
}

const attempt = (number: number, more: Partial<Attempt> = {}): Attempt => ({
  number,
  builder: `10.0.0.${number}:1234`,
  startedAt: '2026-01-31T12:00:00Z',
  completedAt: '2026-01-31T12:00:05Z',
  ...more,
});
const failed = {
  phase: 'Failed',
  attempts: [attempt(1)],
  completedAt: '2026-01-31T12:00:05Z',
  failure: { class: 'user', reason: 'StepFailed', message: 'exit code: 1' },
};
async function* played(): AsyncGenerator<InstanceType<typeof StatusResponse>> {
  yield* LOG;
}
const PLAIN = `#1 [1/2] FROM base
#1 CACHED
#2 [2/2] RUN make
#2 one
#2 two
#2 oops
#2 ERROR: exit code: 1
app-1 Failed: exit code: 1
`;

test('a log reads as steps, their lines whole however they came, and how the run ended', async () => {
  using one = await world(played, failed);
  expect(await one.text('')).toBe(PLAIN);
  expect((await one.text('timestamps=true')).split('\n')[3]).toBe('2026-01-31T12:00:01.100Z #2 one');
  const records = (await one.text('format=json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(records).toContainEqual(expect.objectContaining({ kind: 'output', step: 2, stream: 'stderr', text: 'oops' }));
  expect(records.at(-1)).toMatchObject({ kind: 'run', run: 'app-1', phase: 'Failed', reason: 'StepFailed' });
});

test.each([
  ['tailLines=2', '#2 ERROR: exit code: 1\napp-1 Failed: exit code: 1\n'],
  ['tailLines=0', ''],
  ['tailLines=100', PLAIN],
  ['step=1', '#1 [1/2] FROM base\n#1 CACHED\n'],
  ['step=RUN+make&tailLines=1', '#2 ERROR: exit code: 1\n'],
  ['sinceTime=2026-01-31T12:00:02.5Z', '#2 oops\n#2 ERROR: exit code: 1\napp-1 Failed: exit code: 1\n'],
  ['sinceSeconds=8', '#2 two\n#2 oops\n#2 ERROR: exit code: 1\napp-1 Failed: exit code: 1\n'],
  ['limitBytes=25', PLAIN.slice(0, 25)],
  ['attempt=2', ''],
])('%s', async (of, expected) => {
  using one = await world(played, failed);
  expect(await one.text(of)).toBe(expected);
});

test.each([
  ['follow=perhaps', /follow must be true or false/],
  ['tailLines=-1', /tailLines must be a whole number/],
  ['sinceSeconds=1&sinceTime=2026-01-31T12:00:00Z', /exclude/],
  ['sinceTime=yesterday', /sinceTime must be a time/],
  ['format=yaml', /format must be plain or json/],
  ['tail=3', /unknown parameter tail/],
  ['step=a&step=b', /step is given twice/],
])('%s is refused', (of, message) => {
  expect(() => query(of)).toThrow(message);
});

test('a line without an end is told in pieces, and none of it is lost', () => {
  const reader = new LogReader();
  reader.read(begins('v', 'RUN yes', 0));
  const text = 'x'.repeat(100_000);
  const records = [...reader.read(prints('v', text, 1)), ...reader.read(ends('v', 'RUN yes', 0, 2))];
  const output = records.flatMap((record) => (record.kind === 'output' ? [record] : []));
  expect(output.map((record) => record.text).join('')).toBe(text);
  expect(output.map(({ partial }) => partial ?? false)).toEqual([...Array(output.length - 1).fill(true), false]);
});

test('characters are not cut, neither between pieces nor by limitBytes', () => {
  const reader = new LogReader();
  reader.read(begins('v', 'RUN', 0));
  const euro = Buffer.from('€\n');
  const first = new StatusResponse({ logs: [{ vertex: 'v', stream: 1, msg: euro.subarray(0, 2), timestamp: at(T0) }] });
  const second = new StatusResponse({ logs: [{ vertex: 'v', stream: 1, msg: euro.subarray(2), timestamp: at(T0) }] });
  expect(reader.read(first)).toEqual([]);
  expect(reader.read(second)).toMatchObject([{ text: '€' }]);
  expect(clipBytes('a€b', 3)).toBe('a');
  expect(clipBytes('a€b', 4)).toBe('a€');
});

test('all attempts are told, and one of which nobody has a log', async () => {
  const log: AttemptLog = async function* (_, { number }) {
    if (number === 1) throw new CodedError('not_found', 'nobody has it');
    yield* LOG;
  };
  using one = await world(log, { ...failed, attempts: [attempt(1), attempt(2)] });
  expect(await one.text('')).toBe(
    `attempt 1 on 10.0.0.1:1234\n[the log of attempt 1 is not to be had: nobody has it]\nattempt 2 on 10.0.0.2:1234\n${PLAIN}`,
  );
  expect(await one.text('attempt=2&tailLines=1')).toBe('#2 ERROR: exit code: 1\n');
  await expect(one.text('attempt=1')).rejects.toThrow('nobody has it');
});

test('who follows a run hears of it from before its first attempt to its end, once each, though the connection breaks', async () => {
  let cuts = 0;
  const log: AttemptLog = async function* () {
    for (const [n, response] of LOG.entries()) {
      if (n === 4 && cuts++ === 0) throw new CodedError('unavailable', 'cut');
      yield response;
    }
    one.put(failed);
  };
  using one = await world(log, { phase: 'Queued' });
  const followed = one.text('follow=true');
  one.put({ phase: 'Running', attempts: [{ ...attempt(1), completedAt: undefined }] });
  expect(await followed).toBe(PLAIN);
});
