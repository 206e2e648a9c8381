import { expect, test } from 'vitest';
import { operatorMetrics } from './metrics.ts';

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
