import { expect, test } from 'vitest';
import type { Pod } from './pod.ts';
import { podGone } from './pod-gone.ts';

const pod = (name: string, status: Pod['status']): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
  ...(status === undefined ? {} : { status }),
});
const AT = '10.0.0.1:8443';

test.for<readonly [string, readonly Pod[] | undefined, string | undefined, string | undefined]>([
  ['runs', [pod('a-0', { phase: 'Running', podIP: '10.0.0.1' })], 'a-0', undefined],
  ['is none', [], undefined, undefined],
  ['is of an operator that has none', undefined, 'a-0', undefined],
  ['was deleted', [pod('a-1', { phase: 'Running', podIP: '10.0.0.1' })], 'a-0', 'the pod a-0 is no more'],
  ['was made anew', [pod('a-0', { phase: 'Running', podIP: '10.0.0.2' })], 'a-0', 'the pod a-0 is another by now'],
  ['was made anew and has no address', [pod('a-0', { phase: 'Pending' })], 'a-0', 'the pod a-0 is another by now'],
  [
    'was evicted',
    [pod('a-0', { phase: 'Failed', podIP: '10.0.0.1', reason: 'Evicted', message: 'low on memory' })],
    'a-0',
    'the pod a-0 has ended: Evicted: low on memory',
  ],
])('a builder whose pod %s', ([, pods, name, said]) => expect(podGone(pods, name, AT)).toBe(said));
