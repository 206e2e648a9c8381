import { writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { HOUSE, neverAborted } from '../../base/index.ts';
import { prune } from '../gc/index.ts';
import type { ImmutableRef } from '../ports.ts';
import { refResult } from '../refs/index.ts';
import { openTestState } from './open-state.ts';

/**
 * Run as a program by the kill test: works on the state directory of its argument until it is killed, and says on standard output, line by line, what
 * is finished.
 */
const say = (...words: readonly (string | number)[]) => void writeSync(1, `${words.join(' ')}\n`);
const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const root = process.argv[2] as string;

const state = await openTestState({ root, syncDelayMs: 50 });
say('ready');
let parent: ImmutableRef | undefined;
let pruning: Promise<unknown> = Promise.resolve();
for (let n = 0; ; n++) {
  const mutable = await state.refs.create(parent, { ...options, description: `step ${n}` });
  {
    await using view = await mutable.mount(options);
    writeFileSync(join(view.root, mutable.id), mutable.id.repeat(1000));
  }
  const ref = await mutable.commit(options);
  say('committed', ref.id, parent?.id ?? '-');
  await state.results.save(refResult(ref));
  say('saved', ref.id);
  for (const { descriptor } of await ref.layers(options)) say('blob', ref.id, descriptor.digest, descriptor.size);
  const { digest } = await state.content.ingest(Buffer.from(`loose ${ref.id}`), {}, options);
  say('loose', digest);
  const named = await state.refs.openNamed(
    { scope: '', key: `cache-${n % 3}`, sharing: 'locked' },
    { ...options, description: 'cache', recordType: 'exec.cachemount' },
  );
  {
    await using view = await named.mount(options);
    writeFileSync(join(view.root, ref.id), '');
  }
  await named.keep();
  await named.release();
  say('named', `cache-${n % 3}`, ref.id);
  await parent?.release();
  parent = n % 4 === 3 ? undefined : ref;
  if (parent === undefined) await ref.release();
  // Something to be half pruned, while the next step goes on.
  const scrap = await state.refs.create(undefined, { ...options, description: 'scrap' });
  await (await scrap.commit(options)).release();
  const since = Date.now();
  void pruning.then(() => {
    pruning = prune(state.refs, {
      ...{ signal: neverAborted, filters: ['description==scrap'], all: true },
      ...{ blobGraceMs: 0, busySince: () => since },
    }).then(() => say('pruned'));
  });
  // Something to be half removed, too.
  if (n % 5 === 4) {
    say('removing', ref.id);
    await state.refs.remove(ref.id);
  }
}
