import type { FileAction, Op } from '../op.ts';
import type { LlbEdge } from './vertex.ts';

/** Names of merges hold the names of their inputs; a hostile graph must not make them grow without end. */
const MAX_NAME = 4096;

/** What progress calls a vertex that was given no name. */
export function vertexName(op: Op, inputs: readonly LlbEdge[]): string {
  const name = fullName(op, inputs);
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1)}…` : name;
}

function fullName({ body }: Op, inputs: readonly LlbEdge[]): string {
  switch (body.kind) {
    case 'source':
      return body.source.identifier;
    case 'exec':
      return body.exec.meta.args.join(' ');
    case 'file':
      return body.file.actions.map(actionName).join(', ');
    case 'merge':
      return `merge (${inputs.map((input) => input.vertex.name).join(', ')})`;
    case 'diff': {
      const side = (index: number) => (index < 0 ? 'scratch' : `(${inputs[index]?.vertex.name})`);
      return `diff ${side(body.diff.lower)} -> ${side(body.diff.upper)}`;
    }
    case 'build':
      return 'build';
    case 'passthrough':
      return `passthrough ${body.passthrough.id}`;
    case 'pointer':
      return 'unknown';
  }
}

function actionName({ body }: FileAction): string {
  switch (body.kind) {
    case 'copy':
      return `copy ${body.copy.src} ${body.copy.dest}`;
    case 'mkfile':
      return `mkfile ${body.mkfile.path}`;
    case 'mkdir':
      return `mkdir ${body.mkdir.path}`;
    case 'rm':
      return `rm ${body.rm.path}`;
    case 'symlink':
      return `symlink ${body.symlink.newPath} -> ${body.symlink.oldPath}`;
  }
}
