import { HOUSE, neverAborted, newId } from '../../../base/index.ts';
import { createPools } from '../../../sys/index.ts';
import { createExecutor, EMPTY_META, runStep } from '../index.ts';

/** A process that runs one endless step, to be killed: arguments are the executor's directory, the state id, and a root directory. */
const [directory = '', stateId = '', root = ''] = process.argv.slice(2);
await using pools = createPools({ short: 1, bulk: 1 });
await using executor = await createExecutor({ directory, stateId, pools }, { signal: neverAborted });
const print = (chunk: Uint8Array) => void process.stdout.write(chunk);
await runStep(
  executor,
  {
    id: newId(),
    root: { mounts: [{ type: 'bind', source: root, options: ['rbind', 'rw'] }], readonly: false },
    mounts: [],
    meta: { ...EMPTY_META, args: ['/bin/sh', '-c', 'sleep 999 & setsid sleep 999 & echo started; sleep 999'] },
    network: 'none',
    security: 'sandbox',
    stdout: print,
    stderr: print,
    owner: HOUSE,
  },
  { signal: neverAborted },
);
