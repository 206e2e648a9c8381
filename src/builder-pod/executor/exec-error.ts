import { CodedError } from '../../base/index.ts';

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
    options: { outOfMemory?: boolean; runtimeMessage?: string } = {},
  ) {
    const outOfMemory = options.outOfMemory ?? false;
    const why = [`exit code: ${exitCode}`];
    if (outOfMemory) why.push('cannot allocate memory');
    if (options.runtimeMessage !== undefined) why.push(options.runtimeMessage);
    super('unknown', `process ${JSON.stringify(args.join(' '))} did not complete successfully: ${why.join(': ')}`, {
      fault: 'user',
      reason: outOfMemory ? 'EXEC_OUT_OF_MEMORY' : 'EXEC_FAILED',
      ...hintOf(outOfMemory, options.runtimeMessage),
      details: [{ type: 'gatewayapi.ExitMessage', value: { Code: exitCode } }],
    });
    this.exitCode = exitCode;
    this.signal = exitCode > 128 && exitCode < 128 + 65 ? exitCode - 128 : undefined;
    this.outOfMemory = outOfMemory;
  }
}

function hintOf(outOfMemory: boolean, runtimeMessage: string | undefined): { readonly hint?: string } {
  if (outOfMemory) return { hint: 'give the build more memory, or let the step use less at once' };
  if (runtimeMessage === undefined || !/exec format error/i.test(runtimeMessage)) return {};
  return {
    hint: 'the program is for another CPU: build for this platform, or install its emulator (binfmt_misc, qemu)',
  };
}
