import { describe, expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { type CacheLink, type KeyStore, recordDigest, rootKey } from '../../solver/index.ts';
import { walked } from './walked.ts';

const link = (name: string, input = 0, selector = ''): CacheLink => ({
  input,
  record: recordDigest(digestOf(name), 0),
  selector,
});

/** What every {@link KeyStore} holds to. */
export function keyStoreSuite(name: string, open: () => KeyStore): void {
  describe(`key store: ${name}`, () => {
    test('leads from key to key by exactly one link', () => {
      const store = open();
      store.addLink('a', link('x'), 'b', 'main');
      store.addLink('a', link('x'), 'c', 'main');
      store.addLink('a', link('x'), 'c', 'main');
      expect(store.links('a', link('x'), ['main']).toSorted()).toEqual(['b', 'c']);
      for (const other of [
        link('y'),
        link('x', 1),
        link('x', 0, 's'),
        { ...link('x'), record: recordDigest(digestOf('x'), 1) },
      ]) {
        expect(store.links('a', other, ['main'])).toEqual([]);
      }
      expect(store.links('b', link('x'), ['main'])).toEqual([]);
      expect([store.has('a', ['main']), store.has('b', ['main']), store.has('z', ['main'])]).toEqual([
        true,
        true,
        false,
      ]);
    });

    test('shows links and results only to scopes that may read them', () => {
      const store = open();
      store.addLink('a', link('x'), 'b', 'one');
      store.addResult('b', 'r', 1, 'one');
      expect(store.links('a', link('x'), ['two'])).toEqual([]);
      expect(store.results('b', ['two'])).toEqual([]);
      store.addLink('a', link('x'), 'b', 'two');
      store.addResult('b', 'r', 2, 'two');
      expect(store.links('a', link('x'), ['one', 'two'])).toEqual(['b']);
      expect(store.results('b', ['two'])).toEqual([{ resultId: 'r', createdAt: 2 }]);
      expect(store.results('b', ['one', 'two'])).toHaveLength(1);
      expect(store.results('b', [])).toEqual([]);
    });

    test('tells what became of a record, and whether an op was ever run', () => {
      const store = open();
      const { record } = link('x');
      expect([store.absence('b', ['one']), store.leadsTo(record, ['one'])]).toEqual([undefined, false]);
      store.addLink('a', link('x'), 'b', 'one');
      store.addResult('b', 'r', 1, 'one');
      expect(['one', 'two'].map((scope) => store.absence('b', [scope]))).toEqual([undefined, 'elsewhere']);
      expect(['one', 'two'].map((scope) => store.leadsTo(record, [scope]))).toEqual([true, false]);
      expect([store.scopesOf('b', 9), store.scopesOf('a', 9)]).toEqual([['one'], []]);
      store.dropResult('r');
      expect(store.has('b', ['one'])).toBe(false);
      expect(['one', 'two'].map((scope) => store.absence('b', [scope]))).toEqual(['dropped', undefined]);
      store.addResult('b', 'again', 2, 'one');
      expect(['one', 'two'].map((scope) => store.absence('b', [scope]))).toEqual([undefined, 'elsewhere']);
      store.dropResult('again');
      store.addResult('b', 'theirs', 3, 'two');
      expect(store.absence('b', ['one'])).toBe('dropped');
      expect(store.absence('b', ['one', 'two'])).toBe(undefined);
      store.addResult('b', 'theirs', 3, 'three');
      expect([...store.scopesOf('b', 9)].sort()).toEqual(['three', 'two']);
      expect(store.scopesOf('b', 1)).toHaveLength(1);
    });

    test('tells no scope what another knows', () => {
      const store = open();
      const honest = rootKey(digestOf('content of one'), -1);
      const forged = rootKey(digestOf('content of two'), -1);
      store.addLink(honest, link('copy'), 'copy-key', 'one');
      store.addResult('copy-key', 'r', 1, 'one');
      // The other tenant says of its own scope that other content leads there too, and has a result of its own.
      store.addLink(forged, link('copy'), 'copy-key', 'two');
      store.addResult('copy-key', 'forged', 2, 'two');
      const ways = (scopes: readonly string[]) => store.backlinks('copy-key', scopes).map(({ from }) => from);
      expect(ways(['one'])).toEqual([honest]);
      expect(ways(['two'])).toEqual([forged]);
      expect(ways(['one', 'two']).toSorted()).toEqual([honest, forged].toSorted());
      expect(ways(['three'])).toEqual([]);
      expect(walked(store, ['copy-key'], ['one'])).toMatchObject([
        { id: honest, inputs: [] },
        { id: 'copy-key', inputs: [[{ from: honest }]], results: [{ resultId: 'r' }] },
      ]);
      expect([honest, forged, 'copy-key'].map((id) => store.has(id, ['two']))).toEqual([false, true, true]);
      expect(store.has('copy-key', ['three'])).toBe(false);
      store.dropResult('r'); // gone is gone for all, but the keys still lead to what the other has
      expect(store.results('copy-key', ['one', 'two'])).toMatchObject([{ resultId: 'forged' }]);
    });

    test('gives the newest result first', () => {
      const store = open();
      store.addResult('a', 'old', 1, 'main');
      store.addResult('a', 'new', 3, 'main');
      store.addResult('a', 'middle', 2, 'main');
      expect(store.results('a', ['main']).map((result) => result.resultId)).toEqual(['new', 'middle', 'old']);
    });

    test('a dropped result takes along the keys that lead nowhere then, and no others', () => {
      const store = open();
      store.addLink('root', link('x'), 'middle', 'main');
      store.addLink('middle', link('y'), 'leaf', 'main');
      store.addResult('middle', 'm', 1, 'main');
      store.addResult('leaf', 'l', 1, 'main');
      store.dropResult('m');
      expect(store.links('root', link('x'), ['main'])).toEqual(['middle']);
      store.dropResult('l');
      expect(['root', 'middle', 'leaf'].map((id) => store.has(id, ['main']))).toEqual([false, false, false]);
      store.addLink('root', link('x'), 'middle', 'main');
      store.addResult('root', 'r', 1, 'main');
      store.addResult('middle', 'm', 1, 'main');
      store.addResult('middle', 'n', 1, 'main');
      store.dropResult('m');
      expect(store.results('middle', ['main'])).toHaveLength(1);
      store.dropResult('n');
      expect([store.has('root', ['main']), store.has('middle', ['main'])]).toEqual([true, false]);
      store.dropResult('unknown');
    });

    test('drops along a loop of links', () => {
      const store = open();
      store.addLink('a', link('x'), 'b', 'main');
      store.addLink('b', link('x'), 'a', 'main');
      store.addResult('b', 'r', 1, 'main');
      store.dropResult('r');
      expect(store.results('b', ['main'])).toEqual([]);
    });

    test('keeps nothing volatile', () => {
      const store = open();
      store.addLink('random:1', link('x'), 'b', 'main');
      store.addResult('random:1', 'r', 1, 'main');
      expect([store.has('random:1', ['main']), store.has('b', ['main'])]).toEqual([false, false]);
    });

    test('is walked from a key down to the roots, with BuildKit’s record digests', () => {
      const store = open();
      const base = rootKey(digestOf('base'), 0);
      const content = rootKey(digestOf('content'), -1);
      store.addLink(base, link('copy', 0), 'copy-key', 'main');
      store.addLink(content, link('copy', 1), 'copy-key', 'main');
      store.addLink(base, link('copy', 1, 'sel'), 'copy-key', 'main');
      store.addResult('copy-key', 'r', 7, 'main');
      const records = walked(store, ['copy-key'], ['main']);
      expect(records.map((record) => record.id).toSorted()).toEqual([base, content, 'copy-key'].toSorted());
      const top = records.at(-1)!;
      expect(top).toMatchObject({ id: 'copy-key', results: [{ resultId: 'r', createdAt: 7 }] });
      expect(top.digest).toBe(recordDigest(digestOf('copy'), 0));
      expect(top.inputs[0]).toEqual([{ selector: '', from: base }]);
      expect(top.inputs[1]!.toSorted((a, b) => a.selector.localeCompare(b.selector))).toEqual([
        { selector: '', from: content },
        { selector: 'sel', from: base },
      ]);
      expect(records.find((record) => record.id === base)!.digest).toBe(base);
      const without = (...known: string[]) => walked(store, ['copy-key'], ['main'], new Set(known)).map(({ id }) => id);
      expect([without(base), without('copy-key')]).toEqual([[content, 'copy-key'], []]);
    });
  });
}
