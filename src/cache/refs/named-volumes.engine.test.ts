import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import type { NamedFill, NamedReading, NamedRef, WritableRef } from '../ports.ts';
import { openTestState } from '../testing/open-state.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const describing = { ...options, description: 'cache', recordType: 'exec.cachemount' as const };
const NAME = { scope: '', key: 'k' };
const named = (sharing: NamedRef['sharing']): NamedRef => ({ ...NAME, sharing });

async function files(ref: WritableRef): Promise<string[]> {
  await using view = await ref.view(options);
  return readdirSync(view.root).sort();
}

async function write(ref: WritableRef, name: string): Promise<void> {
  await using view = await ref.mount(options);
  writeFileSync(join(view.root, name), '');
}

/** Counts how often it is asked. */
function filling(name: string, isWhole = true): { readonly fill: NamedFill; asked: number } {
  const told = {
    asked: 0,
    fill: async ({ directory }: { readonly directory: string }) => {
      told.asked++;
      writeFileSync(join(directory, name), '');
      return isWhole;
    },
  };
  return told;
}

function readingOf(read: NamedReading | string): NamedReading {
  if (typeof read === 'string') throw new Error(read);
  return read;
}

/** A fill that has begun, and ends when it is enough. */
function heldFill() {
  const [begun, enough] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const fill: NamedFill = async ({ directory }) => {
    begun.resolve();
    await enough.promise;
    writeFileSync(join(directory, 'filled'), '');
    return true;
  };
  return { fill, begun, enough };
}

test('a new name begins with what fills it, once for all who ask at the same time, and never again', async () => {
  await using state = await openTestState();
  const filled = filling('filled');
  const open = () => state.refs.openNamed(named('shared'), { ...describing, fill: filled.fill });
  const [one, two] = await Promise.all([open(), open()]);
  expect([await files(one), await files(two), filled.asked]).toEqual([['filled'], ['filled'], 1]);
  await one.keep();
  await one.release();
  await two.release();
  const again = await open();
  expect([await files(again), filled.asked]).toEqual([['filled'], 1]);
  await again.release();
  await state.refs.forgetNamed(NAME);
  const anew = await open();
  expect([await files(anew), filled.asked]).toEqual([['filled'], 2]);
  await anew.release();
});

test('who holds what was forgotten lets it go at once, while another fills the name anew', async () => {
  await using state = await openTestState();
  const [one, two] = [
    await state.refs.openNamed(named('shared'), describing),
    await state.refs.openNamed(named('shared'), describing),
  ];
  await one.keep();
  state.refs.forgetNamed(NAME);
  const { fill, begun, enough } = heldFill();
  const opening = state.refs.openNamed(named('shared'), { ...describing, fill });
  await begun.promise;
  expect(state.snapshotter.list()).toHaveLength(2);
  await one.release();
  expect(await files(two)).toEqual([]);
  await two.release();
  expect(state.snapshotter.list()).toHaveLength(1);
  enough.resolve();
  const anew = await opening;
  expect(await files(anew)).toEqual(['filled']);
  await anew.release();
});

test.each([
  'shared',
  'locked',
] as const)('what is forgotten while somebody fills it is theirs alone (%s), and goes with them', async (sharing) => {
  await using state = await openTestState();
  const { fill, begun, enough } = heldFill();
  const opening = state.refs.openNamed(named(sharing), { ...describing, fill });
  await begun.promise;
  await state.refs.forgetNamed(NAME);
  const uncached = state.refs.openNamed(named(sharing), describing);
  enough.resolve();
  const filled = await opening;
  const anew = await uncached;
  expect([await files(filled), await files(anew)]).toEqual([['filled'], []]);
  await write(anew, 'anew');
  for (const ref of [anew, filled]) {
    await ref.keep();
    await ref.release();
  }
  const again = await state.refs.openNamed(named(sharing), describing);
  expect(await files(again)).toEqual(['anew']);
  await again.release();
  expect(state.snapshotter.list()).toHaveLength(1);
});

test('what does not fill it leaves nothing of itself, nor does what is aborted', async () => {
  await using state = await openTestState();
  const part = filling('part', false);
  const ref = await state.refs.openNamed(named('locked'), { ...describing, fill: part.fill });
  expect(await files(ref)).toEqual([]);
  await ref.release();
  const aborted = async () => {
    throw new Error('enough');
  };
  await expect(state.refs.openNamed(named('locked'), { ...describing, fill: aborted })).rejects.toThrow('enough');
  expect(state.snapshotter.list()).toEqual([]);
});

test('what fills it lies on its parent', async () => {
  await using state = await openTestState();
  const seed = await state.refs.create(undefined, describing);
  await write(seed, 'seed');
  const parent = await seed.commit(options);
  const ref = await state.refs.openNamed(named('shared'), { ...describing, parent, fill: filling('filled').fill });
  expect(await files(ref)).toEqual(['filled', 'seed']);
  await ref.keep();
  await ref.release();
  await using reading = readingOf(await state.refs.readNamed(NAME, options));
  expect([readdirSync(reading.directory), readdirSync(reading.below!)]).toEqual([['filled'], ['seed']]);
});

test('what is in use is not read, and who reads makes way for who writes', async () => {
  await using state = await openTestState();
  expect(await state.refs.readNamed(NAME, options)).toBe('absent');
  const ref = await state.refs.openNamed(named('shared'), describing);
  await write(ref, 'a');
  await ref.keep();
  expect(await state.refs.readNamed(NAME, options)).toBe('busy');
  await ref.release();

  const reading = readingOf(await state.refs.readNamed(NAME, options));
  expect(readdirSync(reading.directory)).toEqual(['a']);
  expect(await state.refs.readNamed(NAME, options)).toBe('busy');
  let isOver = false;
  reading.interrupted.addEventListener('abort', async () => {
    isOver = true;
    await reading[Symbol.asyncDispose]();
  });
  const next = await state.refs.openNamed(named('locked'), describing);
  expect([isOver, reading.interrupted.aborted, await files(next)]).toEqual([true, true, ['a']]);
  await next.release();
  await readingOf(await state.refs.readNamed(NAME, options))[Symbol.asyncDispose]();
});

test('what is read is not pruned, and what is forgotten meanwhile goes when it has been read', async () => {
  await using state = await openTestState();
  const ref = await state.refs.openNamed(named('shared'), describing);
  await ref.keep();
  await ref.release();
  const reading = readingOf(await state.refs.readNamed(NAME, options));
  expect(await state.refs.remove(ref.id)).toBe(false);
  await state.refs.forgetNamed(NAME);
  expect(existsSync(reading.directory)).toBe(true);
  await reading[Symbol.asyncDispose]();
  expect(state.snapshotter.list()).toEqual([]);
});
