import { expect, test } from 'vitest';
import { CodedError } from '../base/index.ts';
import { KubeError, type KubeObject } from './runtime/index.ts';
import { Troubles } from './troubles.ts';

const object: KubeObject = { apiVersion: 'v1', kind: 'BuildRun', metadata: { name: 'a', namespace: 'n' } };

function world() {
  const told: string[] = [];
  const changed: string[] = [];
  const troubles = new Troubles({ record: (_, type, reason, message) => told.push(`${type} ${reason} ${message}`) });
  const listen = troubles.listener('buildrun', { get: (key) => (key === 'n/a' ? object : undefined) }, ({ metadata }) =>
    changed.push(metadata.name),
  );
  return { troubles, listen, told, changed };
}

test('a trouble is told once while it is the same, and is over when its object does well or is gone', () => {
  const { troubles, listen, told, changed } = world();
  listen('n/a', new KubeError('resource_exhausted', 'too large', 'TooLarge', {}));
  listen('n/a', new KubeError('resource_exhausted', 'too large', 'TooLarge', {}));
  expect(troubles.of('buildrun', 'n/a')).toEqual({ reason: 'ReconcileFails', message: 'too large' });
  expect([told, changed]).toEqual([['Warning ReconcileFails too large'], ['a']]);
  listen('n/a', undefined);
  expect(troubles.of('buildrun', 'n/a')).toBeUndefined();
  expect(changed).toEqual(['a', 'a']);
  listen('n/a', new KubeError('unavailable', 'webhook', 'InternalError', {}));
  troubles.forget('buildrun', 'n/a');
  expect(troubles.of('buildrun', 'n/a')).toBeUndefined();
});

test('an API server that is away is no trouble of an object', () => {
  const { troubles, listen, told } = world();
  listen('n/a', CodedError.of('KUBE_CONNECTION', 'away'));
  for (const refusal of ['503', 'TooManyRequests']) listen('n/a', new KubeError('unavailable', 'away', refusal, {}));
  listen('n/none', new CodedError('internal', 'x'));
  expect([told, troubles.of('buildrun', 'n/a'), troubles.of('buildrun', 'n/none')]).toEqual([[], undefined, undefined]);
});
