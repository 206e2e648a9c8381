import fc from 'fast-check';
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

test('whatever is pushed and taken, it gives all in order, of a row the newest', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('row' as const), n: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('log' as const, 'state' as const), n: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('take' as const), n: fc.integer({ min: 1, max: 40 }) }) },
  );
  const run = (steps: readonly { readonly kind: 'row' | 'log' | 'state' | 'take'; readonly n: number }[]) => {
    const memory = new EventMemory({ each: 1 << 20, total: 1 << 20 });
    const buffer = new EventBuffer(memory);
    let expected: VertexEvent[] = [];
    for (const [i, { kind, n }] of steps.entries()) {
      if (kind === 'take') expect(buffer.take(n)).toEqual(expected.splice(0, n));
      else {
        const event = kind === 'row' ? row(`row ${n}`, i) : kind === 'log' ? log(`${n}`) : { ...state };
        const name = event.kind === 'status' ? event.id : undefined;
        expected = expected.filter((one) => !(one.kind === 'status' && one.id === name));
        expected.push(event);
        buffer.push(event);
      }
      expect(buffer.empty).toBe(expected.length === 0);
      expect(memory.used).toBe(buffer.bytes);
    }
    expect(buffer.all()).toEqual(expected);
    buffer.close();
    expect([buffer.bytes, memory.used]).toEqual([0, 0]);
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 600, size: 'max' }), run), { numRuns: 60 });
});
