import { type CodedError, restated, toCodedError } from '../base/index.ts';
import type { ActiveVertex, Run } from './active.ts';

/** Failures that another build's sessions may not meet: credentials, secrets, agents. */
const MAY_DEPEND_ON_WHO_ASKS: ReadonlySet<string> = new Set([
  'unauthenticated',
  'permission_denied',
  'not_found',
  'unavailable',
]);
/** How often, for each input, a consumer may lose what is no hit: a hit is found once, but what was made can be made again and again. */
const MAX_LOSSES = 2;

/** Whether a failure may have to do with the sessions of the builds that met it. */
export function mayDependOnWhoAsks(code: string): boolean {
  return MAY_DEPEND_ON_WHO_ASKS.has(code);
}

/** Whether a consumer of so many inputs may try again after so many losses that were no hits. */
export function mayLose(losses: number, inputs: number): boolean {
  return losses <= MAX_LOSSES * Math.max(inputs, 1);
}

/** The error with the vertex that it is of, unless it has one. */
export function blame(error: unknown, vertex: ActiveVertex): CodedError {
  const coded = toCodedError(error);
  if (coded.details.some((detail) => detail.type === 'errdefs.Vertex')) return coded;
  const digest = vertex.vertex.digest;
  return restated(error, { details: [...coded.details, { type: 'errdefs.Vertex', value: { digest } }] });
}

/** Ends what is shown of a run's vertices. */
export function endVertices(run: Run, outcome: { readonly error?: unknown }): void {
  for (const { history } of run.vertices) if (history.running) history.complete(outcome);
}
