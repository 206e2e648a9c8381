import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AbortOptions, CodedError, neverAborted, onAbort } from '../../../base/index.ts';
import { findLostResult, LostResultError } from '../../../solver/index.ts';
import type { ExportAttestation, ExportContext, Exporter, ExportSource } from '../ports.ts';
import { type FakeRef, fakeContext, fakeRef } from './fakes.ts';

/** Where a result goes to: it takes what comes, unless it is told to do otherwise. */
export class Destination {
  /** How often something was given to it. */
  asked = 0;
  /** Bytes that it has taken. */
  taken = 0;
  /** `refuse` looks at nothing, `break` ends within the first thing that comes, `hang` stops there until nobody wants it any more. */
  does: 'take' | 'refuse' | 'break' | 'hang' = 'take';
  #reached = Promise.withResolvers<void>();

  /** Resolves when it hangs. */
  get hanging(): Promise<void> {
    return this.#reached.promise;
  }

  async take(source: AsyncIterable<Uint8Array>, { signal }: AbortOptions): Promise<void> {
    this.asked++;
    if (this.does === 'refuse') throw wentAway();
    for await (const chunk of source) {
      if (this.does === 'break') throw wentAway();
      if (this.does === 'hang') {
        this.#reached.resolve();
        using aborted = onAbort(signal);
        await aborted.promise;
      }
      this.taken += chunk.length;
    }
  }
}

const wentAway = () => new CodedError('unavailable', 'the destination went away', { fault: 'infrastructure' });

export interface ExportWorld extends AsyncDisposable {
  readonly destination: Destination;
  /** Where the exporter has its own short-lived files. */
  readonly temp: string;
  /** Where the test may put files. */
  readonly files: string;
  /** One that writes to the destination. @throws CodedError for attributes that cannot be met */
  open(attributes?: Readonly<Record<string, string>>): Exporter;
  /** One whose client takes nothing; undefined where none is asked. */
  withoutClient?(): Exporter;
}

const owner = { tenant: 'mine', build: 'one' };
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const metadata = new Map([['containerimage.config', json({ architecture: 'amd64', os: 'linux' })]]);
const limits = () => ({ unpackedLayerBytes: { most: 1, name: 'a limit' } });

/** What every {@link Exporter} holds to. */
export function exporterSuite(name: string, openWorld: () => ExportWorld): void {
  describe(`exporter: ${name}`, () => {
    let world: ExportWorld;
    let ref: FakeRef;
    let attested: FakeRef;
    let source: ExportSource & { readonly ref: FakeRef };
    beforeEach(() => {
      world = openWorld();
      const [files, statements] = [join(world.files, 'files'), join(world.files, 'statements')];
      for (const directory of [files, statements]) mkdirSync(directory);
      writeFileSync(join(files, 'a'), 'first');
      writeFileSync(join(statements, 'sbom.json'), '{"a":1}');
      writeFileSync(join(statements, 'broken.json'), '{');
      ref = fakeRef([{ files: { a: 'first' } }, { files: { b: 'second' } }], files);
      attested = fakeRef([], statements);
      source = { ref, metadata };
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const contextOf = (signal = neverAborted) => ({ ...fakeContext(signal), owner, limits });
    const attesting = (path: string, of = attested): ExportSource => {
      const one: ExportAttestation = {
        ...{ kind: 'in-toto', metadata: new Map(), ref: of, path, predicateType: 'https://example.com/p' },
        subjects: [{ kind: 'self', name: '' }],
      };
      return { ...source, attestations: new Map([['linux/amd64', [one]]]) };
    };
    const expectNothingLeft = () => {
      for (const { mounted, reading, held } of [ref, attested])
        expect([mounted(), reading(), held()]).toEqual([0, 0, 0]);
      expect(readdirSync(world.temp)).toEqual([]);
    };

    test('takes the whole result there, shows what it does to its end, and gives back what it was lent', async () => {
      const context = contextOf();
      const exporter = world.open();
      const first = await exporter.export(source, context);
      expect(world.destination.taken).toBeGreaterThan(0);
      expect(context.rows.length).toBeGreaterThan(0);
      expect([...context.open]).toEqual([]);
      expect(context.warnings).toEqual([]);
      const again = await exporter.export(source, contextOf());
      expect(again.response['containerimage.digest']).toBe(first.response['containerimage.digest']);
      expectNothingLeft();
    });

    test('says before how it wants layers, if it wants any', async () => {
      const exporter = world.open();
      await exporter.export(source, contextOf());
      const layers = ref.asked.filter(({ of }) => of === 'layers');
      expect(layers.length > 0).toBe(exporter.compression !== undefined);
      for (const options of layers) expect(options).toMatchObject({ compression: exporter.compression });
    });

    test('what it has done for it is the build’s: its sessions, limits, turn and end', async () => {
      const controller = new AbortController();
      const context: ExportContext = contextOf(controller.signal);
      await world.open().export(attesting('/sbom.json'), context);
      const asked = [...ref.asked, ...attested.asked];
      expect(asked.map(({ of }) => of)).toContain(world.open().compression === undefined ? 'mount' : 'layers');
      controller.abort();
      for (const { of, ...options } of asked) {
        expect([of, options.signal.aborted, options.owner, options.sessions()]).toEqual([of, true, owner, ['s1']]);
        if (of !== 'openBlob') expect([of, options.limits?.()]).toEqual([of, limits()]);
      }
    });

    test('begins nothing for who has gone', async () => {
      const gone = contextOf(AbortSignal.abort(new Error('enough')));
      await expect(world.open().export(source, gone)).rejects.toThrow('enough');
      expect(world.destination.asked).toBe(0);
      expect(ref.asked).toEqual([]);
      expectNothingLeft();
    });

    test('ends at once when nobody wants it any more, and leaves nothing', async () => {
      world.destination.does = 'hang';
      const controller = new AbortController();
      const work = world.open().export(attesting('/sbom.json'), contextOf(controller.signal));
      await world.destination.hanging;
      controller.abort(new Error('enough'));
      await expect(work).rejects.toThrow('enough');
      expectNothingLeft();
    });

    test.each([
      'refuse',
      'break',
    ] as const)('an error of the destination comes up as it is, and the next time all is new: %s', async (how) => {
      const exporter = world.open();
      world.destination.does = how;
      await expect(exporter.export(source, contextOf())).rejects.toMatchObject({
        message: expect.stringMatching(/the destination went away$/),
        ...{ code: 'unavailable', fault: 'infrastructure' },
      });
      expectNothingLeft();
      world.destination.does = 'take';
      await exporter.export(source, contextOf());
      expect(world.destination.taken).toBeGreaterThan(0);
      expectNothingLeft();
    });

    test('a result that is lost is told as that, however late', async () => {
      await world.open().export(attesting('/sbom.json'), contextOf());
      const used = new Set([...ref.asked.map(({ of }) => of)]);
      for (const of of used) {
        const losing = fakeRef([{ files: { a: 'first' } }], join(world.files, 'files'));
        losing[of] = async () => {
          throw new LostResultError('fake', 'its files are gone');
        };
        const error = await world
          .open()
          .export({ ...source, ref: losing }, contextOf())
          .catch((error: unknown) => error);
        expect(findLostResult(error)?.resultIds, of).toEqual(['fake']);
        expect([losing.mounted(), losing.reading(), losing.held()]).toEqual([0, 0, 0]);
      }
      const losing = fakeRef([]);
      losing.mount = async () => {
        throw new LostResultError('fake', 'its files are gone');
      };
      const error = await world
        .open()
        .export(attesting('/sbom.json', losing), contextOf())
        .catch((error: unknown) => error);
      expect(findLostResult(error)?.resultIds).toEqual(['fake']);
      expectNothingLeft();
    });

    test('attestations go along; those that are none are refused, with nothing left', async () => {
      const { taken } = world.destination;
      await world.open().export(source, contextOf());
      const without = world.destination.taken - taken;
      await world.open().export(attesting('/sbom.json'), contextOf());
      expect(world.destination.taken - taken - without).toBeGreaterThan(without);
      for (const path of ['/broken.json', '/missing.json', ''])
        await expect(world.open().export(attesting(path), contextOf())).rejects.toMatchObject({ fault: 'user' });
      expectNothingLeft();
    });

    test('scratch can be had, too', async () => {
      await world.open().export({ metadata }, contextOf());
      expect(world.destination.asked).toBeGreaterThan(0);
      expectNothingLeft();
    });

    test.each([
      ['no list', 'x'],
      ['nothing', '{}'],
      [
        'two of one result',
        json({
          Platforms: ['amd64', 'arm64'].map((architecture) => ({
            ID: architecture,
            Platform: { os: 'linux', architecture },
          })),
        }).toString(),
      ],
    ])('platforms that fit no result are the user’s matter: %s', async (_, text) => {
      const wrong = new Map([...metadata, ['refs.platforms', Buffer.from(text)]]);
      await expect(world.open().export({ ref, metadata: wrong }, contextOf())).rejects.toMatchObject({
        reason: 'EXPORT_PLATFORM',
      });
      expect(world.destination.asked).toBe(0);
      expectNothingLeft();
    });

    test('attributes are checked when it is opened, and what does nothing is told', async () => {
      expect(() => world.open({ 'source-date-epoch': 'yesterday' })).toThrow(
        expect.objectContaining({ reason: 'EXPORT_ATTRIBUTE' }),
      );
      const context = contextOf();
      await world.open({ 'no-such-option': 'x' }).export(source, context);
      expect(context.warnings).toEqual([expect.stringContaining('no-such-option')]);
    });

    test('a client that takes nothing is told how it would', async () => {
      const exporter = world.withoutClient?.();
      if (exporter === undefined) return;
      await expect(exporter.export(source, contextOf())).rejects.toMatchObject({
        reason: 'EXPORT_CLIENT',
        hint: expect.any(String),
      });
      expectNothingLeft();
    });
  });
}
