import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import { WHOLE_GZIP } from '../../oci/compression/compressor.ts';
import type { Compression, ImmutableRef, Layer } from '../ports.ts';
import { makeRef } from '../testing/make-ref.ts';
import { openTestState } from '../testing/open-state.ts';
import { TestRepositories } from '../testing/places.ts';

/** Blobs of layers for images that are to have the same bytes wherever, and after whatever, they are made. */
const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const TIME = 1_000_000_000;
const lines = (count: number) =>
  Array.from({ length: count }, (_, n) => `${((n * 7919) % 900_001).toString(36)} is line ${n}\n`).join('');
const large = lines(300_000);
const small = lines(1000);

function layersAs(compression: Compression) {
  return async (ref: ImmutableRef) => await ref.layers({ ...options, compression });
}

function clampedAs(compression: Compression, latest: number) {
  return async (ref: ImmutableRef) => {
    const [layer] = (await ref.layers({ ...options, compression })) as [Layer];
    return [await ref.clamped(layer, { ...options, compression, latest })];
  };
}

/** What a builder that has nothing makes of one file, in this order. */
async function made(content: string, ...asked: readonly ((ref: ImmutableRef) => Promise<readonly Layer[]>)[]) {
  await using state = await openTestState();
  const ref = await makeRef(state, undefined, (root) => {
    writeFileSync(join(root, 'file'), content);
    utimesSync(join(root, 'file'), TIME, TIME);
  });
  const layers: Layer[] = [];
  for (const ask of asked) layers.push(...(await ask(ref)));
  return layers.map(({ descriptor: { digest, mediaType } }) => ({ digest, mediaType }));
}

describe('a large layer', () => {
  expect(large.length).toBeGreaterThan(WHOLE_GZIP);
  const others: readonly Compression[] = [
    { type: 'gzip' },
    { type: 'gzip', level: 9 },
    { type: 'gzip', level: 1, reproducible: true },
    { type: 'uncompressed' },
    { type: 'zstd', level: 19 },
    { type: 'estargz' },
  ];
  test.each<Compression>([
    { type: 'gzip' },
    { type: 'zstd' },
    { type: 'estargz' },
    { type: 'gzip', level: 9 },
  ])('is packed as ever, whatever was made of it before: %o', async (wanted) => {
    const pinned = { ...wanted, reproducible: true };
    const [first] = await made(large, layersAs(pinned));
    const all = await made(large, ...others.map(layersAs), layersAs(pinned), layersAs(pinned));
    expect(all.slice(-2)).toEqual([first, first]);
  });

  test('is packed as ever where its times are brought down, and where it has none that are later', async () => {
    for (const latest of [TIME - 1, TIME + 1]) {
      const pinned = clampedAs({ type: 'gzip', reproducible: true }, latest);
      const [first] = await made(large, pinned);
      const before = [clampedAs({ type: 'gzip' }, latest), clampedAs({ type: 'gzip', level: 9 }, latest)];
      expect((await made(large, ...before, pinned, pinned)).slice(-2)).toEqual([first, first]);
    }
  });

  test('is not packed anew where nobody asks for that', async () => {
    const [first, other] = await made(
      large,
      layersAs({ type: 'gzip', reproducible: true }),
      layersAs({ type: 'gzip' }),
    );
    expect(other).toEqual(first);
  });
});

test('a small layer is packed once for both', async () => {
  await using state = await openTestState();
  const ref = await makeRef(state, undefined, (root) => writeFileSync(join(root, 'file'), small));
  const { tools } = state.refs.records.options;
  const { convert } = tools;
  let converted = 0;
  Object.assign(tools, {
    convert: (...args: Parameters<typeof convert>) => {
      converted++;
      return convert(...args);
    },
  });
  const first = await layersAs({ type: 'gzip' })(ref);
  expect(await layersAs({ type: 'gzip', reproducible: true })(ref)).toEqual(first);
  expect(converted).toBe(0);
});

test('a layer that was given stays, also where it was made into another form before', async () => {
  await using state = await openTestState();
  const ref = await makeRef(state, undefined, (root) => writeFileSync(join(root, 'file'), large));
  const [given] = (await ref.layers({ ...options, compression: { type: 'gzip', level: 9 } })) as [Layer];
  const { digest } = given.descriptor;
  const repositories = new TestRepositories();
  await using other = await openTestState({ fetchers: repositories.fetchers });
  const { place } = repositories.repository(new Map([[digest, readFileSync(state.content.path(digest))]]));
  const pulled = await other.refs.fromLayers([given], { ...options, description: 'pulled', places: [place] });
  await pulled.layers({ ...options, compression: { type: 'zstd', force: true } });
  for (const compression of [{ type: 'zstd' }, { type: 'gzip' }, { type: 'gzip', force: true }] as const) {
    const [kept] = await pulled.layers({ ...options, compression: { ...compression, reproducible: true } });
    expect(kept?.descriptor.digest).toBe(digest);
  }
});
