import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keptFacts, type PredicateFacts } from './predicate-facts.ts';
import { writePredicate } from './predicate-task.ts';

test('a predicate that was made before is told again: nobody wrote it down, or two looked at once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'predicate-'));
  try {
    const path = join(folder, 'one');
    const facts: PredicateFacts = {
      ...{ version: 'v1', builderId: '{', invocationId: 'i', startedOn: 's', finishedOn: 'f', reproducible: false },
      ...{ configSource: {}, request: {}, materials: [], builderPlatform: 'linux/amd64' },
      ...{ isRequestWhole: true, areMaterialsWhole: true, isHermetic: true },
    };
    writeFileSync(path, Buffer.concat(keptFacts(facts)));
    const made = writePredicate({ path, layers: [] });
    expect(writePredicate({ path, layers: [] })).toEqual(made);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
