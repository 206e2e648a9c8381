import { expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import type { VertexEvent } from '../../solver/index.ts';
import { statusMessages } from './status-messages.ts';

const vertex = digestOf('v');

test('events become messages that the wire carries', () => {
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
  const [message, ...more] = [...statusMessages(events)];
  expect(more).toEqual([]);
  const { StatusResponse } = wire.moby.buildkit.v1;
  const decoded = StatusResponse.decode(StatusResponse.encode(message!).finish());
  expect(decoded.vertexes?.[0]).toMatchObject({ digest: vertex, name: 'step', cached: true, error: 'no' });
  expect(decoded.vertexes?.[0]?.started?.nanos).toBe(500_250_000);
  expect(decoded.statuses?.[0]).toMatchObject({ id: 'row', completed: { nanos: 3_000_000 } });
  expect(Buffer.from(decoded.logs?.[0]?.msg ?? []).toString()).toBe('text');
  expect(decoded.warnings?.[0]?.ranges?.[0]?.end?.line).toBe(2);
});

test('much log is split into messages that clients take', () => {
  const events = Array.from(
    { length: 40 },
    (): VertexEvent => ({ kind: 'log', vertex, stream: 1, data: Buffer.alloc(100_000), timestamp: 1 }),
  );
  const messages = [...statusMessages(events)];
  expect(messages.length).toBeGreaterThan(3);
  expect(messages.flatMap((message) => message.logs ?? [])).toHaveLength(40);
  for (const message of messages) {
    expect((message.logs ?? []).reduce((sum, log) => sum + (log.msg?.length ?? 0), 0)).toBeLessThanOrEqual(1 << 20);
  }
});
