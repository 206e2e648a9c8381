import type { Readable } from 'node:stream';
import { type AbortOptions, CodedError, onAbort } from '../../base/index.ts';
import type { ExecMeta } from '../../llb/index.ts';
import { ExecError } from './exec-error.ts';
import type { Container, ContainerSpec, Executor, StartOptions } from './ports.ts';
import { isStepsFault } from './runtime.ts';

/** A container with one process, and where its output goes. */
export interface Step extends ContainerSpec, StepProcess {
  readonly meta: ExecMeta;
}

interface StepProcess {
  readonly meta: ExecMeta;
  /** Output as it comes; a returned promise holds the step back until it resolves. The chunk is the callee's to keep. */
  readonly stdout: (chunk: Uint8Array) => void | Promise<void>;
  readonly stderr: (chunk: Uint8Array) => void | Promise<void>;
}

/** Runs a step to its end, in a container of its own of which nothing is left, in every case, save what it wrote in its mounts. Throws what {@link runProcess} throws. */
export async function runStep(
  executor: Executor,
  step: Step,
  options: AbortOptions,
): Promise<{ readonly exitCode: number }> {
  await using container = executor.container(step);
  return await runProcess(container, step, options);
}

/**
 * Runs the container's first process to its end: its exit code when it is a valid one. When aborted it does not wait: disposing the container ends the process.
 * @throws ExecError for any other; CodedError for bad input (unknown user, missing mount source); the signal's reason when aborted
 */
export async function runProcess(
  container: Container,
  { meta, stdout, stderr }: StepProcess,
  options: StartOptions,
): Promise<{ readonly exitCode: number }> {
  const { signal } = options;
  const process = await container.start({ meta, stdin: false }, options);
  using aborted = onAbort(signal);
  const pump = async (stream: Readable | undefined, sink: StepProcess['stdout']) => {
    for await (const chunk of (stream ?? []) as AsyncIterable<Buffer>) {
      if (signal.aborted) return;
      const wait = sink(chunk);
      if (wait !== undefined) await wait;
    }
  };
  const ended = Promise.all([process.exited, pump(process.stdout, stdout), pump(process.stderr, stderr)]);
  ended.catch(() => {});
  const [{ exitCode, hit, runtimeMessage }] = await Promise.race([ended, aborted.promise]);
  signal.throwIfAborted();
  const { validExitCodes, args } = meta;
  if (validExitCodes.length === 0 ? exitCode === 0 : validExitCodes.includes(exitCode)) return { exitCode };
  if (runtimeMessage !== undefined && !isStepsFault(runtimeMessage)) {
    throw CodedError.of('EXEC_RUNTIME', `container of the step: ${runtimeMessage}`);
  }
  throw new ExecError(args, exitCode, { hit, ...(runtimeMessage === undefined ? {} : { runtimeMessage }) });
}
