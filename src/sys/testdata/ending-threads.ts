/** `loading | working | leaving ROUNDS`: ends threads at random moments, so often; last it says so. What cannot be caught ends this process by a signal. */
import { setTimeout as delay } from 'node:timers/promises';
import { siblingModule } from '../threads/sibling-module.ts';
import { startThread } from '../threads/thread.ts';

const AT_ONCE = 4;
const module = siblingModule(import.meta.url, './native-thread');
const [mode, rounds] = process.argv.slice(2);

function begin() {
  const begun = new Int32Array(new SharedArrayBuffer(4));
  const thread = startThread<never, 'works'>({ module, name: 'native', data: begun });
  const works = Promise.withResolvers<void>();
  thread.onMessage(() => works.resolve());
  const hasBegun = async () => {
    while (Atomics.load(begun, 0) === 0) await delay(1);
  };
  return { thread, hasBegun, works: works.promise };
}

/** How long the last ones took to load, in milliseconds. */
let loadMs = 0;

async function once(): Promise<void> {
  const { thread, hasBegun, works } = begin();
  await hasBegun();
  if (mode === 'working') await works;
  await delay(Math.random() * (mode === 'working' ? 5 : loadMs));
  await thread.terminate();
}

async function measure(): Promise<void> {
  const { thread, hasBegun, works } = begin();
  await hasBegun();
  const before = performance.now();
  await works;
  loadMs = performance.now() - before;
  await thread.terminate();
}

await Promise.all(Array.from({ length: AT_ONCE }, measure));
for (let round = 0; round < Number(rounds); round++) {
  const all = Array.from({ length: AT_ONCE }, mode === 'leaving' ? () => begin().hasBegun() : once);
  await Promise.all(all);
}
if (mode === 'leaving') await delay(Math.random() * loadMs);
console.log('all ended');
process.exit(0);
