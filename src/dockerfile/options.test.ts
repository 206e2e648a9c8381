import { expect, test } from 'vitest';
import { readOptions } from './options.ts';

test('a list of caches that cannot be read is told without what it holds', () => {
  for (const list of ['[{"Type":"gha","Attrs":{"token":"SECRET"}}', 'SECRET', '{"token":"SECRET}'])
    try {
      readOptions(new Map([['cache-imports', list]]));
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).toBe('failed to unmarshal cache-imports: it is not valid JSON');
      expect((error as Error).cause).toBeUndefined();
    }
});
