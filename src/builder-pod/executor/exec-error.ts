import { CodedError, goQuote } from '../../base/index.ts';

/** A bound on steps that one ran into; 0 where the machine itself had no more. */
export interface HitLimit {
  readonly kind: 'memory' | 'processes';
  readonly limit: number;
  /** What it is called, where it is the build's and not the builder's own. */
  readonly name?: string;
}

/** How a process that is no success ended: in words, and as clients of BuildKit look for it. */
export function describeEnd(
  exitCode: number,
  { hit, runtimeMessage }: { readonly hit?: HitLimit | undefined; readonly runtimeMessage?: string | undefined },
) {
  const why = [`exit code: ${exitCode}`];
  if (hit?.kind === 'memory') why.push('cannot allocate memory');
  if (hit?.kind === 'processes') why.push(`no more than ${hit.limit} processes and threads at once`);
  if (runtimeMessage !== undefined) why.push(runtimeMessage);
  return { words: why.join(': '), details: [{ type: 'gatewayapi.ExitMessage', value: { Code: exitCode } }] };
}

/** A step's process that ended in a way that is no success. */
export class ExecError extends CodedError {
  readonly exitCode: number;
  /** Signal number when one ended it. */
  readonly signal: number | undefined;
  /** Whether the kernel killed a process of the step for want of memory. */
  readonly outOfMemory: boolean;

  constructor(
    args: readonly string[],
    exitCode: number,
    options: { hit?: HitLimit | undefined; runtimeMessage?: string } = {},
  ) {
    const { hit } = options;
    const { words, details } = describeEnd(exitCode, options);
    super('unknown', `process ${goQuote(args.join(' '))} did not complete successfully: ${words}`, {
      fault: 'user',
      reason:
        hit === undefined ? 'EXEC_FAILED' : hit.kind === 'memory' ? 'EXEC_OUT_OF_MEMORY' : 'EXEC_OUT_OF_PROCESSES',
      ...hintOf(hit, options.runtimeMessage),
      details,
    });
    this.exitCode = exitCode;
    this.signal = exitCode > 128 && exitCode < 128 + 65 ? exitCode - 128 : undefined;
    this.outOfMemory = hit?.kind === 'memory';
  }
}

function hintOf(hit: HitLimit | undefined, runtimeMessage: string | undefined): { readonly hint?: string } {
  if (hit?.kind === 'memory') {
    const limit = hit.limit === 0 ? '' : ` (this step had ${Math.floor(hit.limit / 2 ** 20)} MiB)`;
    const more = hit.name === undefined ? 'give the build more memory' : `raise ${hit.name}`;
    return { hint: `${more}${limit}, or let the step use less at once` };
  }
  if (hit?.kind === 'processes')
    return { hint: `let the step start fewer at once, or raise ${hit.name ?? 'max-step-processes of the builder'}` };
  if (runtimeMessage === undefined || !/exec format error/i.test(runtimeMessage)) return {};
  return {
    hint: 'the program is for another CPU: build for this platform, or install its emulator (binfmt_misc, qemu)',
  };
}
