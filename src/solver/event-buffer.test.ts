import { expect, test } from 'vitest';
import { digestOf } from '../base/index.ts';
import { EventBuffer, EventMemory } from './event-buffer.ts';
import type { VertexEvent } from './ports.ts';

const vertex = digestOf('step');
const log = (text: string, of = vertex): VertexEvent => ({
  ...{ kind: 'log', vertex: of, stream: 1, timestamp: 1 },
  data: Buffer.from(text),
});
const row = (id: string, current = 0): VertexEvent => ({
  ...{ kind: 'status', vertex, id, name: id, current, total: 0, timestamp: 1 },
  completed: 1,
});
const state: VertexEvent = { kind: 'vertex', vertex: { digest: vertex, inputs: [], name: 'step', cached: false } };
const texts = (buffer: EventBuffer) =>
  buffer.all().flatMap((event) => (event.kind === 'log' ? [Buffer.from(event.data).toString()] : []));

test('the oldest output goes when there is too much, and one line says so', () => {
  const buffer = new EventBuffer(new EventMemory({ each: 3_000, total: 1 << 20 }));
  buffer.push(state);
  for (let n = 0; n < 20; n++) buffer.push(log(`${n}`.padEnd(1000)));
  expect(texts(buffer).map((text) => text.trim())).toEqual(['[18000 bytes of output are not kept]', '18', '19']);
  expect(buffer.all()[0]).toBe(state);
  expect(buffer.take()).toHaveLength(4);
  expect(buffer.empty).toBe(true);
  buffer.push(log('next'));
  expect(texts(buffer)).toEqual(['next']);
});

test('output of a step that is gone altogether is told of, too', () => {
  const other = digestOf('other');
  const buffer = new EventBuffer(new EventMemory({ each: 3_000, total: 1 << 20 }));
  buffer.push(log('lost', other));
  for (let n = 0; n < 3; n++) buffer.push(log(`${n}`.padEnd(1000)));
  expect(buffer.take().filter((event) => event.kind === 'log' && event.vertex === other)).toMatchObject([
    { data: Buffer.from('[4 bytes of output are not kept]\n') },
  ]);
  expect(buffer.empty).toBe(true);
});

test('rows and warnings are bounded as well, also those that are done; states are never dropped', () => {
  const buffer = new EventBuffer(new EventMemory({ each: 10_000, total: 1 << 20 }));
  for (let n = 0; n < 500; n++) {
    buffer.push(row(`row ${n}`));
    buffer.push(row(`row ${n}`, 1));
    buffer.push({ kind: 'warning', vertex, warning: { level: 1, short: 'no' } });
    buffer.push(state);
  }
  const kinds = Map.groupBy(buffer.all(), ({ kind }) => kind);
  expect(kinds.get('vertex')).toHaveLength(500);
  expect(kinds.get('status')!.length + kinds.get('warning')!.length).toBeLessThan(50);
  expect(kinds.get('status')!.at(-1)).toMatchObject({ id: 'row 499', current: 1 });
});

test('all buffers together keep no more than the total: the largest give way, small ones stay whole', () => {
  const memory = new EventMemory({ each: 100_000, total: 200_000 });
  const small = new EventBuffer(memory);
  small.push(log('all of it'));
  const large = Array.from({ length: 20 }, () => new EventBuffer(memory));
  for (let n = 0; n < 50; n++) for (const buffer of large) buffer.push(log('x'.repeat(1000)));
  expect(memory.used).toBeLessThanOrEqual(200_000);
  expect(texts(small)).toEqual(['all of it']);
  for (const buffer of large) expect(texts(buffer)[0]).toMatch(/^\[\d+ bytes of output are not kept\]\n$/);
  for (const buffer of large) buffer.take();
  small.take();
  expect(memory.used).toBe(0);
});

test('one large piece makes way for itself among many small ones, in whatever number they are', () => {
  const memory = new EventMemory({ each: 64 << 20, total: 16 << 20 });
  const small = new EventBuffer(memory);
  for (let n = 0; n < 60_000; n++) small.push(row(`row ${n}`));
  const large = new EventBuffer(memory);
  large.push(log('x'.repeat(8 << 20)));
  expect(memory.used).toBeLessThanOrEqual(16 << 20);
  expect(texts(large)[0]).toHaveLength(8 << 20);
  expect(small.all().at(-1)).toMatchObject({ id: 'row 59999' });
});
