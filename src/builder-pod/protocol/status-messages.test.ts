import { expect, test } from 'vitest';
import { digestOf, neverAborted as signal } from '../../base/index.ts';
import { slowMachine, turnsDuring } from '../../base/testing/turns.ts';
import { wire } from '../../builder-api/index.ts';
import type { VertexEvent } from '../../solver/index.ts';
import { statusMessages } from './status-messages.ts';

const vertex = digestOf('v');
const { StatusResponse } = wire.moby.buildkit.v1;

async function told(events: readonly VertexEvent[]) {
  const messages = await Array.fromAsync(statusMessages(events, { signal }));
  return messages.map(({ parts }) => StatusResponse.decode(Buffer.concat(parts)));
}

test('events become messages that the wire carries', async () => {
  const state = {
    digest: vertex,
    inputs: [digestOf('i')],
    name: 'step',
    cached: true,
    started: 1500.25,
    completed: 2000,
    error: 'no',
  };
  const events: VertexEvent[] = [
    { kind: 'vertex', vertex: state },
    { kind: 'status', vertex, id: 'row', name: '', current: 1, total: 2, timestamp: 1, completed: 3 },
    { kind: 'log', vertex, stream: 2, data: Buffer.from('text'), timestamp: 1 },
    {
      kind: 'warning',
      vertex,
      warning: {
        level: 1,
        short: 'careful',
        ranges: [{ start: { line: 1, character: 0 }, end: { line: 2, character: 3 } }],
      },
    },
  ];
  const [decoded, ...more] = await told(events);
  expect(more).toEqual([]);
  expect(decoded?.vertexes?.[0]).toMatchObject({ digest: vertex, name: 'step', cached: true, error: 'no' });
  expect(decoded?.vertexes?.[0]?.started?.nanos).toBe(500_250_000);
  expect(decoded?.statuses?.[0]).toMatchObject({ id: 'row', completed: { nanos: 3_000_000 } });
  expect(Buffer.from(decoded?.logs?.[0]?.msg ?? []).toString()).toBe('text');
  expect(decoded?.warnings?.[0]?.ranges?.[0]?.end?.line).toBe(2);
});

test('much log is split into messages that clients take', async () => {
  const events = Array.from(
    { length: 40 },
    (): VertexEvent => ({ kind: 'log', vertex, stream: 1, data: Buffer.alloc(100_000), timestamp: 1 }),
  );
  const messages = await told(events);
  expect(messages.length).toBeGreaterThan(3);
  expect(messages.flatMap((message) => message.logs ?? [])).toHaveLength(40);
  for (const message of messages) {
    expect((message.logs ?? []).reduce((sum, log) => sum + (log.msg?.length ?? 0), 0)).toBeLessThanOrEqual(1 << 20);
  }
});

test('each state of a step of very many inputs names them all, and is encoded in several turns', async () => {
  using _slow = await slowMachine();
  const inputs = Array.from({ length: 100_000 }, (_, n) => digestOf(`${n}`));
  const state = { digest: vertex, inputs, name: 'wide', cached: false, started: 1500 };
  const log: VertexEvent = { kind: 'log', vertex, stream: 1, data: new Uint8Array(), timestamp: 1 };
  const events: VertexEvent[] = [
    { kind: 'vertex', vertex: state },
    { kind: 'vertex', vertex: { ...state, digest: inputs[0]!, inputs: [vertex], name: 'narrow' } },
    { kind: 'vertex', vertex: { ...state, completed: 2000 } },
    log,
  ];
  let messages: Awaited<ReturnType<typeof told>> = [];
  const turns = await turnsDuring(async () => {
    messages = await told(events);
  });
  const vertexes = messages.flatMap(({ vertexes = [] }) => vertexes);
  const all = (names: readonly string[] | null | undefined) => digestOf(`${names}`);
  expect(vertexes.map(({ name, inputs, completed }) => [name, all(inputs), completed != null])).toEqual([
    ['wide', all(inputs), false],
    ['narrow', all([vertex]), false],
    ['wide', all(inputs), true],
  ]);
  expect(messages.flatMap(({ logs = [] }) => logs)).toHaveLength(1);
  expect(turns).toBeGreaterThan(10);
});
