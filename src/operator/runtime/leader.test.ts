import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type AbortOptions, CodedError, silentLogger } from '../../base/index.ts';
import { leadWhileHolding } from './leader.ts';
import type { KubeClient, KubeObject } from './ports.ts';

interface Lease extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** What becomes of a call: done, not answered though done, not answered and not done, refused. */
type Fate = 'done' | 'lost' | 'hangs' | 500 | 429;

// The clock stands still but for what is awaited here: a busy machine costs nobody the lease.
beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const late = new AbortController();
    setTimeout(() => late.abort(new DOMException('late', 'TimeoutError')), ms);
    return late.signal;
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const until = async (holds: () => boolean) => {
  for (let at = 0; !holds(); at++) {
    if (at > 20_000) throw new Error('it never held');
    await vi.advanceTimersByTimeAsync(10);
  }
};
const DURATION_MS = 15_001;
const never = ({ signal }: AbortOptions) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** One lease behind an API with optimistic writes. */
class Api {
  lease: Lease | undefined;
  #version = 0;

  write(lease: Lease): Lease {
    const { metadata } = lease;
    this.lease = { ...lease, metadata: { ...metadata, resourceVersion: String(++this.#version) } };
    return this.lease;
  }

  /** As `kubectl edit` does it: on whatever is there. */
  edit(spec: Readonly<Record<string, unknown>>): void {
    const { lease } = this;
    if (lease !== undefined) this.write({ ...lease, spec: { ...lease.spec, ...spec } });
  }

  client(fate: () => Fate, deaf = false): KubeClient {
    const answer = async (options: AbortOptions, act: () => Lease) => {
      const how = fate();
      // A transport that does not even hear its signal.
      const silence = () => (deaf ? new Promise<never>(() => {}) : never(options));
      if (how === 'hangs') return await silence();
      if (how === 500 || how === 429) throw new CodedError('unavailable', `status ${how}`);
      const result = act();
      return how === 'lost' ? await silence() : result;
    };
    return {
      get: (_: unknown, __: unknown, options: AbortOptions) =>
        answer(options, () => {
          if (this.lease === undefined) throw new CodedError('not_found', 'no lease');
          return this.lease;
        }),
      create: (_: unknown, lease: Lease, options: AbortOptions) =>
        answer(options, () => {
          if (this.lease !== undefined) throw new CodedError('already_exists', 'there is one');
          return this.write(lease);
        }),
      replace: (_: unknown, lease: Lease, options: AbortOptions) =>
        answer(options, () => {
          if (this.lease?.metadata.resourceVersion !== lease.metadata.resourceVersion)
            throw new CodedError('aborted', 'changed');
          return this.write(lease);
        }),
    } as unknown as KubeClient;
  }
}

/** Operators that stand for one lease, and how many lead at once at the height. */
function operators() {
  const over = new AbortController();
  const all: Promise<void>[] = [];
  const state = { leading: [] as string[], most: 0, turns: [] as string[], lost: 0 };
  const stand = (name: string, client: KubeClient): void => {
    const options = { lease: { namespace: 'n', name: 'l' }, durationMs: DURATION_MS, fieldManager: 't' };
    const run = async () => {
      while (!over.signal.aborted)
        await leadWhileHolding(client, { ...options, log: silentLogger, signal: over.signal }, async ({ signal }) => {
          state.leading.push(name);
          state.turns.push(name);
          state.most = Math.max(state.most, state.leading.length);
          if (!signal.aborted)
            await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
          state.leading.splice(state.leading.indexOf(name), 1);
        }).catch(({ reason }: CodedError) => {
          if (reason === 'LEASE_LOST') state.lost++;
        });
    };
    all.push(run());
  };
  return {
    ...state,
    state,
    stand,
    leads: (name: string) => until(() => state.leading.length === 1 && state.leading[0] === name),
    [Symbol.asyncDispose]: async () => {
      over.abort(new CodedError('cancelled', 'over'));
      let ended = false;
      void Promise.all(all).then(() => {
        ended = true;
      });
      await until(() => ended);
    },
  };
}

test.each<[string, Fate, boolean]>([
  ['are not answered', 'hangs', false],
  ['are not answered, and do not hear that they are given up', 'hangs', true],
  ['are done and not answered', 'lost', false],
  ['are answered 500', 500, false],
  ['are answered 429', 429, false],
])('a leader whose calls %s has ended before the next one begins', async (_, broken, deaf) => {
  const api = new Api();
  await using world = operators();
  let fate: Fate = 'done';
  world.stand(
    'first',
    api.client(() => fate, deaf),
  );
  await world.leads('first');
  world.stand(
    'second',
    api.client(() => 'done'),
  );
  fate = broken;
  if (broken === 'lost') {
    // Its writes arrive, so it stays the holder: it knows that from reading, once that is answered.
    await until(() => world.state.lost === 1);
    fate = 'hangs';
  }
  await world.leads('second');
  expect(world.state).toMatchObject({ most: 1, turns: ['first', 'second'], lost: 1 });
});

test('one call that hangs costs no turn', async () => {
  const api = new Api();
  await using world = operators();
  let calls = 0;
  world.stand(
    'first',
    api.client(() => (++calls % 4 === 0 ? 'hangs' : 'done')),
  );
  await world.leads('first');
  world.stand(
    'second',
    api.client(() => 'done'),
  );
  const renewals = calls;
  await until(() => calls > renewals + 40);
  expect(world.state).toMatchObject({ most: 1, turns: ['first'], lost: 0 });
});

test.each<[string, (api: Api) => void, readonly string[]]>([
  ['deletes it', (api) => (api.lease = undefined), ['first']],
  ['erases its holder', (api) => api.edit({ holderIdentity: '' }), ['first']],
  ['makes it short', (api) => api.edit({ leaseDurationSeconds: 0 }), ['first']],
  ['annotates it', (api) => api.edit({}), ['first']],
  ['sets its times back', (api) => api.edit({ renewTime: '1999-01-01T00:00:00.000000Z' }), ['first']],
  ['sets its times ahead', (api) => api.edit({ renewTime: '2999-01-01T00:00:00.000000Z' }), ['first']],
  // The holder believes it, and it is nobody's until its time is over.
  ['names another holder', (api) => api.edit({ holderIdentity: 'nobody' }), ['first', '*']],
])('no two lead when somebody %s', async (_, change, turns) => {
  const api = new Api();
  await using world = operators();
  let renewals = 0;
  world.stand(
    'first',
    api.client(() => {
      renewals++;
      return 'done';
    }),
  );
  await world.leads('first');
  world.stand(
    'second',
    api.client(() => 'done'),
  );
  const before = renewals;
  await until(() => renewals > before);
  change(api);
  await until(() => renewals > before + 12);
  await until(() => world.state.leading.length === 1);
  expect(world.state.most).toBe(1);
  expect(world.state.turns).toHaveLength(turns.length);
});

test('it is given back at the end, and the next one does not wait for it', async () => {
  const api = new Api();
  {
    await using world = operators();
    world.stand(
      'first',
      api.client(() => 'done'),
    );
    await world.leads('first');
  }
  expect(api.lease?.spec).toMatchObject({ holderIdentity: '' });
  expect(api.lease?.spec).not.toHaveProperty('renewTime');
  let reads = 0;
  await using world = operators();
  world.stand(
    'second',
    api.client(() => {
      reads++;
      return 'done';
    }),
  );
  await world.leads('second');
  expect(reads).toBeLessThanOrEqual(3);
});
