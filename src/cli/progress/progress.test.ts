import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../base/index.ts';
import type { VertexEvent, VertexState } from '../../solver/ports.ts';
import { openDisplay } from './display.ts';
import { type ProgressEvent, ProgressModel } from './model.ts';
import { renderSummary } from './summary.ts';
import { formatBytes, formatSeconds, printable, truncate } from './text.ts';
import { renderTree } from './tree.ts';

const vertex = (name: string, state: Partial<VertexState> = {}): VertexEvent => ({
  kind: 'vertex',
  vertex: { digest: digestOf(name), inputs: [], name, cached: false, ...state },
});
const log = (name: string, text: string, timestamp = 1500): VertexEvent => ({
  kind: 'log',
  vertex: digestOf(name) as Digest,
  stream: 1,
  data: Buffer.from(text),
  timestamp,
});

const missed = (name: string, cause: string, short: string, text = short): ProgressEvent => ({
  ...{ kind: 'missed', vertex: digestOf(name), cause, short, text },
});

const events: VertexEvent[] = [
  vertex('[base 1/2] FROM scratch'),
  vertex('[base 2/2] RUN make', { started: 1000 }),
  log('[base 2/2] RUN make', 'compil'),
  log('[base 2/2] RUN make', 'ing\nlinking\n'),
  vertex('[base 1/2] FROM scratch', { started: 1000, completed: 1000, cached: true }),
];

function plain(list: readonly ProgressEvent[]): string {
  const out: string[] = [];
  using display = openDisplay(
    'plain',
    { write: (text) => out.push(text), isTTY: false, columns: 80, rows: 24 },
    () => 0,
  );
  for (const event of list) display.event(event);
  return out.join('');
}

describe('plain progress', () => {
  test('announces a step, prints whole lines of its output with times, then how it ended', () => {
    const out = plain([...events, vertex('[base 2/2] RUN make', { started: 1000, completed: 3500 })]);
    expect(out).toBe(
      '#2 [base 2/2] RUN make\n#2 0.500 compiling\n#2 0.500 linking\n#1 [base 1/2] FROM scratch\n#1 CACHED\n\n#2 DONE 2.5s\n\n',
    );
  });

  test('says why a step failed, and does not call a cancelled one failed', () => {
    expect(plain([vertex('a', { started: 1, completed: 2, error: 'exit code: 1' })])).toContain(
      '#1 ERROR: exit code: 1\n',
    );
    expect(plain([vertex('a', { started: 1, completed: 2, error: 'context canceled' })])).toContain('#1 CANCELED\n');
  });

  test('a step is said to be done once, though it is then found in the cache', () => {
    const resolved = vertex('[1/2] FROM a', { started: 1000, completed: 1000 });
    const found = vertex('[1/2] FROM a', { started: 2000, completed: 2000, cached: true });
    expect(plain([resolved, resolved, found])).toBe('#1 [1/2] FROM a\n#1 DONE 0.0s\n\n');
  });

  test('a step that never starts is not shown', () => {
    expect(plain([vertex('a'), missed('a', 'files', 'changed: x')])).toBe('');
  });

  test('says on a line of its own why a step missed the cache, once the step is there', () => {
    const out = plain([
      vertex('a'),
      missed('a', 'files', 'changed: src/\x1b[2Ja.txt'),
      vertex('a', { started: 1 }),
      vertex('b', { started: 1 }),
      missed('b', 'input', '', 'what it stands on is another: a'),
      vertex('c', { started: 1 }),
      missed('c', 'unkeyed', '', 'it is asked for anew in every build'),
      vertex('d', { started: 1, completed: 1 }),
      missed('d', 'files', `changed: ${'x'.repeat(5000)}`),
      missed('e', 'files', 'of a step that nobody knows'),
    ]);
    expect(out.replace(/x{100,}/, 'xx')).toBe(
      '#1 a\n#1 not cached: changed: src/a.txt\n#2 b\n#2 not cached: what it stands on is another: a\n#3 c\n#4 d\n#4 DONE 0.0s\n\n#4 not cached: changed: xx…\n',
    );
    expect(out.length).toBeLessThan(500);
  });
});

describe('tree', () => {
  const render = (list: readonly VertexEvent[], height = 20) => {
    const model = new ProgressModel();
    for (const event of list) model.apply(event);
    return renderTree(model, { width: 50, height, now: 3000, color: false });
  };

  test('shows stages with their steps, times on the right and the output of what runs', () => {
    expect(render(events)).toEqual([
      'Building 0.5s (1/2 steps, 1 cached)',
      '└─ base',
      `${'   ├─ ● 1/2 FROM scratch (cached)             0.0s'
        .padEnd(50)
        .slice(0, 50)
        .replace(/ +0\.0s *$/, '')
        .padEnd(45)} 0.0s`,
      `${'   └─ … 2/2 RUN make'.padEnd(45)} 2.0s`,
      '        compiling',
      '        linking',
    ]);
  });

  test('says in a few words why a step runs again, and nothing of what it does not know', () => {
    const model = new ProgressModel();
    const step = vertex('[1/2] COPY package.json ./', { started: 1, completed: 2 });
    const digest = step.kind === 'vertex' ? step.vertex.digest : digestOf('');
    const why = { kind: 'missed', vertex: digest, cause: 'files', text: '', short: 'changed: package.json' } as const;
    for (const event of [step, why]) model.apply(event);
    model.apply({ ...why, vertex: digestOf('another'), text: 'x', short: 'x' });
    const lines = renderTree(model, { width: 80, height: 20, now: 3000, color: false });
    expect(lines.join('\n')).toContain('COPY package.json ./ (changed: package.json)');
  });

  test('never exceeds the height of the terminal', () => {
    const many = Array.from({ length: 50 }, (_, at) => vertex(`[s${at} 1/1] RUN ${at}`, { started: 1, completed: 2 }));
    expect(render(many, 10)).toHaveLength(10);
  });

  test('a terminal cannot be taken over by output', () => {
    const out = render([vertex('x', { started: 1 }), log('x', '\u001b[2J\u001b]0;title\u0007evil\n')]);
    expect(out.join('\n')).not.toContain('\u001b');
    expect(out.at(-1)).toContain('evil');
  });
});

test('the summary names the slowest steps and what came from the cache', () => {
  const model = new ProgressModel();
  for (const event of [...events, vertex('[base 2/2] RUN make', { started: 1000, completed: 3500 })])
    model.apply(event);
  expect(renderSummary(model, 80)).toEqual([
    '2 steps, 1 from the cache, 2.5s from first to last',
    '     2.5s 100%  [base 2/2] RUN make',
  ]);
});

test('several intervals of one step add up', () => {
  const model = new ProgressModel();
  model.apply(vertex('a', { started: 0, completed: 1000 }));
  model.apply(vertex('a', { started: 2000 }));
  model.apply(vertex('a', { started: 2000, completed: 2500 }));
  expect([...model.steps.values()][0]?.spent).toBe(1500);
});

test('texts', () => {
  expect([0, 59_900, 125_000].map(formatSeconds)).toEqual(['0.0s', '59.9s', '2m05s']);
  expect([0, 999, 12_300, 4_500_000].map(formatBytes)).toEqual(['0B', '999B', '12.3kB', '4.50MB']);
  expect(printable('a\tb\u0007c\u001b[31md')).toBe('a    bcd');
  expect(truncate('abcdef', 4)).toBe('abc…');
});
