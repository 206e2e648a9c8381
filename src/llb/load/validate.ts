import { invalidArgument } from '../../base/index.ts';
import type { BuildOp, ChownOpt, ExecOp, FileOp, Op } from '../op.ts';

/** Checks that an op can be run as it is: nothing missing, every index where it may be. @throws CodedError invalid_argument */
export function validateOp(op: Op): void {
  const inputs = op.inputs.length;
  const { body } = op;
  switch (body.kind) {
    case 'source':
      if (inputs !== 0) throw invalidArgument(`invalid source op with ${inputs} inputs`);
      if (body.source.identifier === '') throw invalidArgument('invalid source op with no identifier');
      return;
    case 'exec':
      validateExec(body.exec, inputs);
      return;
    case 'file':
      validateFile(body.file, inputs);
      return;
    case 'build':
      validateBuild(body.build, inputs);
      return;
    case 'merge':
      if (body.merge.inputs.length !== inputs)
        throw invalidArgument(
          `invalid merge op with ${body.merge.inputs.length} inner inputs and ${inputs} outer inputs`,
        );
      for (const input of body.merge.inputs) checkIndex('merge input', input, 0, inputs);
      return;
    case 'diff': {
      const inner = [body.diff.lower, body.diff.upper].filter((input) => input !== -1);
      if (inner.length !== inputs)
        throw invalidArgument(`invalid diff op with ${inner.length} inner inputs and ${inputs} outer inputs`);
      for (const input of inner) checkIndex('diff input', input, 0, inputs);
      return;
    }
    case 'passthrough':
      if (body.passthrough.id === '') throw invalidArgument('invalid passthrough op with no id');
      if (body.passthrough.outputs.length === 0) throw invalidArgument('invalid passthrough op with no outputs');
      for (const output of body.passthrough.outputs) checkIndex('passthrough output input', output, 0, inputs);
      return;
    case 'pointer':
      throw invalidArgument('invalid op of a kind that this builder does not know', {
        hint: 'The client may be newer than this builder.',
      });
  }
}

/** How many outputs an op has; an edge to a higher one is refused. */
export function outputCount({ body }: Op): number {
  switch (body.kind) {
    case 'exec':
      return body.exec.mounts.reduce((most, mount) => Math.max(most, mount.output + 1), 0);
    case 'file':
      return body.file.actions.reduce((most, action) => Math.max(most, action.output + 1), 0);
    case 'passthrough':
      return body.passthrough.outputs.length;
    default:
      return 1;
  }
}

function validateExec(exec: ExecOp, inputs: number): void {
  if (exec.meta.args.length === 0) throw invalidArgument('invalid exec op with no args');
  if (exec.mounts.length === 0) throw invalidArgument('invalid exec op with no mounts');
  if (!exec.mounts.some((mount) => mount.dest === '/')) throw invalidArgument('invalid exec op with no rootfs');
  for (const mount of exec.mounts) {
    checkIndex(`input of mount ${mount.dest}`, mount.input, -1, inputs);
    checkIndex(`output of mount ${mount.dest}`, mount.output, -1, exec.mounts.length);
  }
}

function validateFile(file: FileOp, inputs: number): void {
  if (file.actions.length === 0) throw invalidArgument('invalid file op with no actions');
  for (const [index, action] of file.actions.entries()) {
    checkIndex(`input of action ${index}`, action.input, -1, inputs + index);
    checkIndex(`secondary input of action ${index}`, action.secondaryInput, -1, inputs + index);
    checkIndex(`output of action ${index}`, action.output, -1, file.actions.length);
    const { body } = action;
    if (body.kind === 'copy') validateOwner(body.copy.owner, inputs + index);
    else if (body.kind === 'mkfile') validateOwner(body.mkfile.owner, inputs + index);
    else if (body.kind === 'mkdir') validateOwner(body.mkdir.owner, inputs + index);
    else if (body.kind === 'symlink') validateOwner(body.symlink.owner, inputs + index);
  }
}

function validateOwner(owner: ChownOpt | undefined, limit: number): void {
  for (const part of [owner?.user, owner?.group])
    if (part && 'name' in part) checkIndex(`input for user ${part.name}`, part.input, -1, limit);
}

function validateBuild(build: BuildOp, inputs: number): void {
  checkIndex('builder', build.builder, -1, inputs);
  for (const [name, input] of Object.entries(build.inputs)) checkIndex(`build input ${name}`, input, 0, inputs);
}

function checkIndex(what: string, index: number, least: number, limit: number): void {
  if (!Number.isInteger(index) || index < least || index >= limit)
    throw invalidArgument(`invalid ${what}: index ${index} where ${limit} are there`);
}
