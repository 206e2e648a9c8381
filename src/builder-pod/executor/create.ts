import { type AbortOptions, CodedError, HOUSE, newId } from '../../base/index.ts';
import type { ExecMeta } from '../../llb/index.ts';
import { type ExecutorOptions, OciExecutor } from './executor.ts';
import type { Executor } from './ports.ts';
import { runStep } from './run-step.ts';
import { findRuntime, isCrunCandidate, type Runtime } from './runtime.ts';
import { clearDirectory } from './step-task.ts';

/** The runtimes on PATH. */
interface Runtimes {
  readonly crun: Runtime | undefined;
  readonly runc: Runtime | undefined;
}

interface CreateExecutorOptions extends Omit<ExecutorOptions, 'runtime'> {
  /** A runtime the operator of the daemon wants, without a trial. */
  readonly runtime?: Runtime;
  /** From {@link findRuntimes}, for who began to look for them earlier. */
  readonly runtimes?: Promise<Runtimes>;
}

/** Asks the runtimes for their versions. It touches no state, so it may begin while that is still being opened. */
export async function findRuntimes(abort: AbortOptions): Promise<Runtimes> {
  const [crun, runc] = await Promise.all([findRuntime('crun', abort), findRuntime('runc', abort)]);
  return { crun, runc };
}

/**
 * The executor on the runtime that does best here: a crun with a filter cache where a trial container shows that it works fully, runc otherwise.
 * Call it under the state directory's lock and after its sweep: what an earlier life left in the executor's directory goes.
 * @throws CodedError failed_precondition when there is none.
 */
export async function createExecutor(options: CreateExecutorOptions, abort: AbortOptions): Promise<OciExecutor> {
  clearDirectory(options.directory);
  if (options.runtime !== undefined) return new OciExecutor({ ...options, runtime: options.runtime });
  const { crun, runc } = await (options.runtimes ?? findRuntimes(abort));
  if (crun !== undefined && isCrunCandidate(crun.version)) {
    const executor = new OciExecutor({ ...options, runtime: crun });
    const failure = await trial(executor, abort);
    if (failure === undefined) return executor;
    options.log?.info('crun does not work fully here, runc is used', { version: crun.version, why: failure });
    await executor[Symbol.asyncDispose]();
  }
  if (runc !== undefined) return new OciExecutor({ ...options, runtime: runc });
  throw CodedError.of('EXEC_NO_RUNTIME', 'no container runtime found');
}

/** What a sandboxed step must see of itself: the capabilities, and a filter. */
const EXPECTED = [/^CapEff:\s*00000000a80425fb$/m, /^Seccomp:\s*2$/m];

/** Runs a container on the machine's own root, read-only; why it did not work, or undefined. */
async function trial(executor: Executor, abort: AbortOptions): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  const keep = (chunk: Uint8Array) => void chunks.push(chunk);
  const meta = { ...EMPTY_META, args: ['/bin/cat', '/proc/self/status'], cwd: '/' };
  try {
    const root = { mounts: [{ type: 'bind', source: '/', options: ['bind', 'ro'] }], readonly: true };
    const step = { id: `trial-${newId()}`, root, mounts: [], meta, stdout: keep, stderr: keep, owner: HOUSE };
    await runStep(executor, { ...step, network: 'none', security: 'sandbox' }, abort);
  } catch (error) {
    abort.signal.throwIfAborted();
    return `${error instanceof Error ? error.message : String(error)}: ${Buffer.concat(chunks).toString().slice(0, 500)}`;
  }
  const output = Buffer.concat(chunks).toString();
  const missing = EXPECTED.find((line) => !line.test(output));
  return missing === undefined ? undefined : `${missing.source} not seen`;
}

export const EMPTY_META: ExecMeta = {
  args: [],
  env: [],
  cwd: '/',
  user: '',
  extraHosts: [],
  hostname: '',
  ulimits: [],
  cgroupParent: '',
  removeMountStubsRecursive: false,
  validExitCodes: [],
};
