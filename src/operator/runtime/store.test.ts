import { expect, test } from 'vitest';
import { silentLogger } from '../../base/index.ts';
import type { KubeObject } from './ports.ts';
import { ObjectStore } from './store.ts';

const object = (name: string, version: number, uid = name, label = 'x'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'n', uid, resourceVersion: String(version), labels: { label } },
});

function storeOf() {
  const told: string[] = [];
  const store = new ObjectStore<KubeObject>({ label: ({ metadata }) => metadata.labels?.['label'] }, silentLogger);
  store.onChange((change) => told.push(`${change.kind} ${change.object.metadata.resourceVersion}`));
  return { store, told };
}

test('what we wrote is not overwritten by older news', () => {
  const { store, told } = storeOf();
  store.set(object('a', 9));
  store.set(object('a', 8));
  store.set(object('a', 9));
  // As numbers, not as text.
  store.set(object('a', 10));
  expect(told).toEqual(['set 9', 'set 10']);
});

test('what we deleted does not come back, but another of its name may', () => {
  const { store } = storeOf();
  store.set(object('a', 1, 'old'));
  store.remove('n/a', 'old');
  store.set(object('a', 2, 'old'));
  expect(store.get('n/a')).toBeUndefined();
  store.set(object('a', 3, 'new'));
  store.remove('n/a', 'old');
  expect(store.get('n/a')?.metadata.uid).toBe('new');
});

test('a list takes away what it lacks, but not what is newer than it', () => {
  const { store, told } = storeOf();
  store.set(object('a', 1));
  store.set(object('b', 20));
  store.replace([object('c', 5)], '10');
  expect(store.list().map(({ metadata }) => metadata.name)).toEqual(['b', 'c']);
  expect(told).toEqual(['set 1', 'set 20', 'gone 1', 'set 5']);
});

test('indexes follow', () => {
  const { store } = storeOf();
  store.set(object('a', 1, 'a', 'x'));
  store.set(object('b', 2, 'b', 'x'));
  store.set(object('a', 3, 'a', 'y'));
  const names = (value: string) => store.byIndex('label', value).map(({ metadata }) => metadata.name);
  expect([names('x'), names('y'), names('z')]).toEqual([['b'], ['a'], []]);
  store.remove('n/b', undefined);
  expect(names('x')).toEqual([]);
});

test('a handler that fails stops nobody', () => {
  const { store, told } = storeOf();
  store.onChange(() => {
    throw new Error('no');
  });
  store.set(object('a', 1));
  expect(told).toEqual(['set 1']);
});
