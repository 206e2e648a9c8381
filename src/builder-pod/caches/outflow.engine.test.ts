import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../base/index.ts';
import { GatedBuilds, text } from './testing/gated-builds.ts';

const RATE = 512 << 10;
const REQUESTS = 2;
const HUGE = 64 << 20;
/** Documents, and what is on its way. */
const SLACK = 2 << 20;

let world: GatedBuilds;

beforeAll(async () => {
  world = await GatedBuilds.start({ outflow: { bytesPerSecond: RATE, requests: REQUESTS } });
});
afterAll(() => world[Symbol.asyncDispose]());

/** Counts what the builder asks and sends of its registry from now on. */
function counted() {
  const counts = { open: 0, most: 0, bytes: 0, huge: { begun: 0, ended: 0 }, since: performance.now() };
  const isHuge = ({ headers }: IncomingMessage) => Number(headers['content-length'] ?? 0) > HUGE / 2;
  world.proxy.fault = (req, res) => {
    // The test asks as well; and who has read an answer whole may ask again before it has ended here.
    if (req.headers['user-agent'] !== 'slipway' || req.method === 'GET') return false;
    counts.most = Math.max(counts.most, ++counts.open);
    if (isHuge(req)) counts.huge.begun++;
    let isOpen = true;
    const ended = () => {
      if (!isOpen) return;
      isOpen = false;
      counts.open--;
      if (isHuge(req)) counts.huge.ended++;
    };
    res.once('finish', ended).once('close', ended);
    req.on('data', (chunk: Buffer) => {
      counts.bytes += chunk.length;
    });
    return false;
  };
  return counts;
}

test('of two builds at once neither takes all of what goes out, together they keep the bounds, and at their end they keep none', async () => {
  world.begin();
  const continuous = { mode: 'continuous', 'continuous-interval': '20ms' };
  const script = `busybox dd if=/dev/urandom of=/huge bs=1048576 count=${HUGE >> 20}`;
  const huge = world.base.run({ args: ['/bin/busybox', 'sh', '-c', script], name: 'huge' }).root;
  const counts = counted();
  const first = world.solve(newId(), world.gated('gate-a', huge), { to: [continuous] });
  await expect.poll(() => counts.huge.begun).toBe(1);

  const small = { ...continuous, ref: `${world.repository}:small` };
  const second = world.solve(newId(), world.gated('gate-b', text('small', world.base)), { to: [small] });
  while (((await world.written('small'))?.records.length ?? 0) < 3) await delay(50);
  expect(counts.huge).toEqual({ begun: 1, ended: 0 });
  expect(counts.most).toBeLessThanOrEqual(REQUESTS);
  expect(counts.bytes).toBeLessThan((RATE * (performance.now() - counts.since)) / 1000 + SLACK);

  // What is left would take minutes.
  while (world.waiting.length < 2) await delay(10);
  world.open();
  for (const { error, failed, warnings } of await Promise.all([first, second]))
    expect({ error, failed, warnings }).toEqual({ error: undefined, failed: [], warnings: [] });
  expect((await world.written())?.layers).toHaveLength(4);
});
