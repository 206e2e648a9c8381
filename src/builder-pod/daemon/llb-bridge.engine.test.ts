import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { HOUSE, neverAborted, newId } from '../../base/index.ts';
import { createPools, sweep } from '../../sys/index.ts';
import { createExecutor, EMPTY_META } from '../executor/index.ts';
import type { BridgeResult } from '../frontends/index.ts';
import { FakeBridge } from '../frontends/testing/fake-bridge.ts';
import { serveBridgeOver } from './llb-bridge.ts';

const options = { signal: neverAborted, owner: HOUSE };
/** Node's types name only streams of the web here. */
const pair = (streams: object) => streams as Iterable<Uint8Array>;

test('a frontend in a container drives its build over its standard streams', async () => {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'slipway-frontend-'));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const stateId = `test-${newId()}`;
  const pools = stack.use(createPools({ short: 1, bulk: 1 }));
  stack.defer(async () => void (await sweep({ stateId, directory })));
  const executor = stack.use(await createExecutor({ directory: join(directory, 'exec'), stateId, pools }, options));
  // The machine's own files are its image.
  const container = stack.use(
    executor.container({
      id: newId(),
      root: { mounts: [{ type: 'bind', source: '/', options: ['rbind', 'ro'] }], readonly: true },
      ...{ mounts: [], meta: EMPTY_META, network: 'none', security: 'sandbox', owner: HOUSE },
    }),
  );
  const program = fileURLToPath(new URL('./testing/frontend-process.ts', import.meta.url));
  const meta = { ...EMPTY_META, args: [process.execPath, program] };
  const frontend = await container.start({ meta, stdin: true }, options);
  const returned = Promise.withResolvers<BridgeResult>();
  const server = serveBridgeOver(
    Duplex.from(pair({ readable: frontend.stdout, writable: frontend.stdin! })),
    { id: 'worker' },
    {
      bridge: new FakeBridge({ file: 'content' }),
      giveResult: (outcome) =>
        'result' in outcome ? returned.resolve(outcome.result) : returned.reject(outcome.error as Error),
      over: returned.promise.then(() => {}),
    },
  );
  stack.use(server);
  const [{ exitCode }, said] = await Promise.all([frontend.exited, text(frontend.stderr!)]);
  expect({ exitCode, said }).toEqual({ exitCode: 0, said: 'returned' });
  const { ref, metadata } = await returned.promise;
  expect(ref?.id).toBe('ref1');
  expect(Object.fromEntries([...metadata].map(([key, value]) => [key, Buffer.from(value).toString()]))).toEqual({
    read: 'content',
    pid: '1',
  });
});
