import {
  type Afterwork,
  CodedError,
  newId,
  type Places,
  type Platform,
  type WorkOptions,
} from '../../../base/index.ts';
import type { ContentHasher } from '../../../cache/contenthash/index.ts';
import type { CacheMountExchange, ImmutableRef, RefManager } from '../../../cache/ports.ts';
import type { ExecOp, LinuxResources } from '../../../llb/index.ts';
import type { Op, OpContext, Result } from '../../../solver/ports.ts';
import {
  DEFAULT_LOG_LIMITS,
  ExecError,
  type Executor,
  type LogLimits,
  runProcess,
  StepLog,
} from '../../executor/index.ts';
import type { SourceSecrets } from '../../sources/index.ts';
import { execCacheMap, type KeepsDigest, knownAtOnce } from '../cache-map/index.ts';
import { refOptionsOf } from '../ref-options.ts';
import { type MountEnvironment, type Output, type PreparedMounts, prepareMounts } from './mounts.ts';
import { secretEnvironment } from './secrets.ts';

interface ExecOpOptions {
  readonly refs: RefManager;
  readonly executor: Executor;
  readonly afterwork: Afterwork;
  readonly secrets: SourceSecrets;
  /** Of the processes of steps; absent, there is no limit. */
  readonly places?: Places | undefined;
  readonly resultOf: (ref: ImmutableRef) => Result<ImmutableRef>;
  readonly hasher: ContentHasher;
  /** From the vertex's metadata: limits that are no part of keys. */
  readonly resources?: LinuxResources;
  readonly logLimits?: LogLimits | undefined;
  /** Of cache mounts; absent, they begin empty and stay here. */
  readonly exchange?: CacheMountExchange | undefined;
  /** Digests of keys of ops that were met before. */
  readonly keepDigest?: KeepsDigest | undefined;
  /** It is to run whatever is cached. */
  readonly uncached?: boolean;
}

/** The exec op: a process in a container on the inputs' file systems; a result for each mount with an output. */
export function execOp(exec: ExecOp, platform: Platform, inputCount: number, options: ExecOpOptions): Op<ImmutableRef> {
  return {
    ...knownAtOnce(() => execCacheMap(exec, platform, inputCount, options.keepDigest), options.hasher),
    exec: (inputs, context) => runExec(exec, inputs, context, options),
  };
}

/** How long a build that was cancelled waits for the ends of its steps: what takes longer keeps its refs, and goes on without it. */
const CANCEL_MS = 2000;

async function runExec(
  exec: ExecOp,
  inputs: readonly Result<ImmutableRef>[],
  context: OpContext,
  options: ExecOpOptions,
): Promise<readonly Result<ImmutableRef>[]> {
  refuseUnbuilt(exec);
  const { signal } = context;
  // Releases on every path; a ref that was committed has nothing left to release.
  const stack = new AsyncDisposableStack();
  try {
    return await runHolding(exec, inputs, context, options, stack);
  } finally {
    const release = () => stack.disposeAsync();
    if (signal.aborted) await options.afterwork.runAtMost(CANCEL_MS, release);
    else await release();
  }
}

async function runHolding(
  exec: ExecOp,
  inputs: readonly Result<ImmutableRef>[],
  context: OpContext,
  options: ExecOpOptions,
  stack: AsyncDisposableStack,
): Promise<readonly Result<ImmutableRef>[]> {
  const { signal } = context;
  const { refs, secrets, uncached } = options;
  const refOptions = refOptionsOf(context);
  const exchange: MountEnvironment['exchange'] = async (mount) => await options.exchange?.of(mount, context);
  const env: MountEnvironment = { refs, secrets, context, refOptions, stack, exchange, uncached };
  const secretEnv = await secretEnvironment(exec.secretEnv, secrets, context);
  const refsOfInputs = inputs.map(({ value }) => value);
  const { root, mounts, outputs, written } = await prepareMounts(exec, refsOfInputs, env);
  const log = new StepLog(
    (stream, data, audience) => context.progress.log(stream, data, audience),
    options.logLimits ?? DEFAULT_LOG_LIMITS,
  );
  const meta = { ...exec.meta, env: [...exec.meta.env, ...secretEnv] };
  const { network, security } = exec;
  const container = stack.use(
    options.executor.container({
      ...{ id: newId(), root, mounts, meta, network, security, limits: context.limits(), owner: context.owner },
      ...(options.resources === undefined ? {} : { resources: options.resources }),
    }),
  );
  const output = {
    stdout: (chunk: Uint8Array) => log.write(1, chunk),
    stderr: (chunk: Uint8Array) => log.write(2, chunk),
  };
  try {
    await runProcess(container, { meta, ...output }, { signal, places: options.places });
  } catch (error) {
    if (error instanceof ExecError) log.flushTail();
    if (context.leave !== undefined && !signal.aborted)
      // Where that fails there is nothing to look into; the step's own failure counts.
      await container[Symbol.asyncDispose]().then(
        () => leaveRemains(exec, inputs, written, context, options.resultOf),
        () => {},
      );
    throw error;
  }
  // What it wrote is whole only when nothing has it mounted.
  await container[Symbol.asyncDispose]();
  // Awaited here: what is returned unawaited would come after the releases.
  return await commitAll(outputs, context, options.resultOf);
}

/** Hands what the step had, and has written, to those who look into failures. */
async function leaveRemains(
  { mounts }: ExecOp,
  given: readonly Result<ImmutableRef>[],
  written: PreparedMounts['written'],
  { leave, signal, owner }: OpContext,
  resultOf: ExecOpOptions['resultOf'],
): Promise<void> {
  const inputs = mounts.map(({ input }) => given[input]);
  const left = [...inputs];
  const made: Result<ImmutableRef>[] = [];
  for (const [at, mount] of mounts.entries()) {
    const ref = await written
      .get(mount)
      ?.commit({ signal, owner, passing: true })
      .catch(() => undefined);
    if (ref === undefined) continue;
    left[at] = resultOf(ref);
    made.push(left[at]);
  }
  leave?.({ inputs, mounts: left });
  for (const result of made) await result.release();
}

/** All or none: what was committed before a failure is released again. */
async function commitAll(
  outputs: readonly Output[],
  { signal, owner }: WorkOptions,
  resultOf: ExecOpOptions['resultOf'],
): Promise<readonly Result<ImmutableRef>[]> {
  const results: Result<ImmutableRef>[] = [];
  try {
    for (const output of outputs) {
      results.push(
        resultOf(output.kind === 'passed' ? output.ref.clone() : await output.ref.commit({ signal, owner })),
      );
    }
    return results;
  } catch (error) {
    for (const result of results) await result.release();
    throw error;
  }
}

function refuseUnbuilt(exec: ExecOp): void {
  const device = exec.cdiDevices.find(({ optional }) => !optional);
  if (device === undefined) return;
  throw new CodedError('unimplemented', `device ${device.name}: devices for steps are not supported`, {
    hint: 'make the device optional, or build without it',
  });
}
