import type { VertexProgress } from './ports.ts';

/** Writes lines into the log of a vertex, as what its work has to say for itself. */
export function lineLog(progress: VertexProgress): (line: string) => void {
  return (line) => void progress.log(2, Buffer.from(`${line}\n`));
}
