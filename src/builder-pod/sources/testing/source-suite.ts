import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../../base/index.ts';
import { diskUsage, prune } from '../../../cache/gc/index.ts';
import type { ImmutableRef } from '../../../cache/ports.ts';
import type { OpContext } from '../../../solver/ports.ts';
import type { State } from '../../state/index.ts';
import type { SourceInstance } from '../source.ts';

/** A place outside that holds one file `f`, and a builder that reads it. */
export interface SourceWorld extends AsyncDisposable {
  readonly state: State;
  /** One for the same source, as each build has its own. */
  instance(): SourceInstance;
  /** From now on this is in the file. */
  serve(content: string): void;
  /** From now on there is no such source. */
  lose(): void;
  /** From now on nothing is answered; `asked` resolves with the next question. */
  hang(): { readonly asked: Promise<void>; release(): void };
  /** Resolves when what follows of a build by itself is done. */
  idle(): Promise<void>;
}

interface SourceSuiteOptions {
  /** Whether the key is that of the content: not where only the receiving tells. */
  readonly keyed: boolean;
}

/** What every {@link SourceInstance} holds to. */
export function sourceSuite(name: string, open: () => Promise<SourceWorld>, { keyed }: SourceSuiteOptions): void {
  describe(`source: ${name}`, () => {
    let world: SourceWorld;
    let rows: Map<string, boolean>;
    beforeEach(async () => {
      world = await open();
      rows = new Map();
      world.serve('one');
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const contextOf = (signal = neverAborted): OpContext => ({
      signal,
      owner: HOUSE,
      sessions: () => ['s'],
      limits: () => ({}),
      progress: {
        status: ({ id, completed }) => void rows.set(id, completed !== undefined),
        log: () => {},
        warn: () => {},
      },
      scope: 'mine',
    });
    const build = async (instance = world.instance(), context = contextOf()) => {
      const { key } = await instance.cacheKey(context);
      return { key, ref: await instance.snapshot(context) };
    };
    const contentOf = async (ref: ImmutableRef) => {
      await using view = await ref.mount({ signal: neverAborted, owner: HOUSE, sessions: () => ['s'] });
      return readFileSync(join(view.root, 'f'), 'utf8');
    };
    /** Nothing is held or half made: a prune takes all there is. */
    const expectNothingLeft = async () => {
      const { refs, snapshotter } = world.state;
      await world.idle();
      for (const { inUse, description } of await diskUsage(refs, { signal: neverAborted }))
        expect(inUse, description).toBe(false);
      await prune(refs, { signal: neverAborted, all: true });
      expect(snapshotter.list()).toEqual([]);
    };

    test('gives the files to the caller alone, in the scope of the build, and is done with what it showed', async () => {
      const { ref } = await build();
      expect(await contentOf(ref)).toBe('one');
      const mine = await diskUsage(world.state.refs, { signal: neverAborted, scope: 'mine' });
      expect(mine.map(({ id }) => id)).toContain(ref.id);
      expect([...rows].filter(([, completed]) => !completed)).toEqual([]);
      await ref.release();
      await expectNothingLeft();
    });

    test('answers alike when it is asked again, whatever has become of the source', async () => {
      const instance = world.instance();
      const first = await instance.cacheKey(contextOf());
      world.serve('two');
      expect(await instance.cacheKey(contextOf())).toEqual(first);
      const description = await instance.describe?.(contextOf());
      const said = description?.git?.checksum ?? description?.http?.checksum;
      if (description !== undefined) expect(said).toBe(first.pin);
    });

    test('another build sees what is there now', async () => {
      const first = await build();
      const same = await build();
      world.serve('two');
      const other = await build();
      expect([await contentOf(first.ref), await contentOf(same.ref), await contentOf(other.ref)]).toEqual([
        'one',
        'one',
        'two',
      ]);
      expect(same.key).toBe(first.key);
      expect(other.key === first.key).toBe(!keyed);
      if (!keyed) expect(first.key).toMatch(/^session:/);
      for (const { ref } of [first, same, other]) await ref.release();
      await expectNothingLeft();
    });

    test('files that fit no more to the key are never given under it', async () => {
      const instance = world.instance();
      await instance.cacheKey(contextOf());
      world.serve('two');
      const ref = await instance.snapshot(contextOf()).catch(() => undefined);
      if (ref !== undefined && keyed) expect(await contentOf(ref)).toBe('one');
      await ref?.release();
      await expectNothingLeft();
    });

    test('begins nothing for who has gone, also where all is here', async () => {
      const gone = contextOf(AbortSignal.abort(new Error('enough')));
      await expect(build(world.instance(), gone)).rejects.toThrow('enough');
      const instance = world.instance();
      const { ref } = await build(instance);
      await expect(instance.snapshot(gone)).rejects.toThrow('enough');
      await ref.release();
      await expectNothingLeft();
    });

    test('who goes meanwhile is let go at once, leaves nothing, and is in nobody’s way', async () => {
      const hung = world.hang();
      const controller = new AbortController();
      const instance = world.instance();
      const going = build(instance, contextOf(controller.signal));
      const staying = build();
      await hung.asked;
      controller.abort(new Error('enough'));
      await expect(going).rejects.toThrow('enough');
      hung.release();
      const { ref } = await staying;
      expect(await contentOf(ref)).toBe('one');
      await ref.release();
      const again = await build(instance);
      expect(await contentOf(again.ref)).toBe('one');
      await again.ref.release();
      await expectNothingLeft();
    });

    test('a source that is not there is told, and asked for anew', async () => {
      world.lose();
      const instance = world.instance();
      await expect(build(instance)).rejects.toMatchObject({ code: 'not_found', fault: 'user' });
      await expectNothingLeft();
      world.serve('one');
      const { ref } = await build(instance);
      expect(await contentOf(ref)).toBe('one');
      await ref.release();
      await expectNothingLeft();
    });

    test.each(['prepare', 'commit'] as const)('what cannot be kept goes: %s', async (step) => {
      const { snapshotter } = world.state;
      const works = snapshotter[step];
      snapshotter[step] = async () => {
        throw new Error('no room');
      };
      const work = build().then(async ({ ref }) => {
        try {
          await contentOf(ref);
        } finally {
          await ref.release();
        }
      });
      await expect(work).rejects.toThrow('no room');
      snapshotter[step] = works;
      await expectNothingLeft();
      const { ref } = await build();
      expect(await contentOf(ref)).toBe('one');
      await ref.release();
    });
  });
}
