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
      return joined(body.exec.meta.args, ' ');
    case 'file':
      return joined(body.file.actions.values().map(actionName), ', ');
    case 'merge':
      return `merge (${joined(
        inputs.values().map((input) => input.vertex.name),
        ', ',
      )})`;
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

/** As far as any of it is shown. */
function joined(parts: Iterable<string>, separator: string): string {
  let text: string | undefined;
  for (const part of parts) {
    text = text === undefined ? part : `${text}${separator}${part}`;
    if (text.length > MAX_NAME) break;
  }
  return text ?? '';
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
