import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { operatorMetrics } from './metrics.ts';

const NAME = /\bslipway_[a-z_]+/g;
const read = (file: string) => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
const observed = () => {
  const metrics = operatorMetrics();
  const none = () => new Map<string, number>();
  metrics.observe({ phases: () => [], active: () => 0, queues: none, builders: none, leading: () => true });
  return metrics;
};

test.each([
  'charts/slipway/files/alerts.yaml',
  'charts/slipway/files/dashboard.json',
])('every metric that %s names is one of the operator’s', async (file) => {
  const { text } = await observed().text();
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]));
  const named = new Set([...read(file).matchAll(NAME)].map(([name]) => name.replace(/_(bucket|sum|count)$/, '')));
  expect(named.size).toBeGreaterThan(4);
  expect([...named].filter((name) => !known.has(name))).toEqual([]);
});

test('attempts are counted by how they ended, steps by whether the cache had them', async () => {
  const metrics = operatorMetrics();
  const attempt = { number: 1, builder: 'b:1', startedAt: '2026-01-01T00:00:00Z' };
  metrics.ended({
    phase: 'Succeeded',
    attempts: [
      { ...attempt, reason: 'BuilderLost' },
      { ...attempt, number: 2, reason: 'Succeeded' },
    ],
    cache: { vertices: 5, hits: 3 },
  });
  const { text } = await metrics.text();
  expect(text).toContain('slipway_attempts_total{reason="BuilderLost"} 1');
  expect(text).toContain('slipway_attempts_total{reason="Succeeded"} 1');
  expect(text).toContain('slipway_steps_total{result="hit"} 3');
  expect(text).toContain('slipway_steps_total{result="miss"} 2');
});
