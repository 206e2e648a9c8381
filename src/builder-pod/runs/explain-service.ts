import { CodedError } from '../../base/index.ts';
import { Explainer as ExplainerService, type GrpcServer } from '../../builder-api/index.ts';
import type { Explainer, Recorder } from '../history/index.ts';
import { buildRefOf, runId } from './id.ts';

interface ExplainServices {
  readonly explainer: Explainer;
  readonly history: Pick<Recorder, 'scopeOfRun'>;
}

/** Serves `slipway.builder.v1.Explainer`: of builds of direct clients by their ref, of an operator's solves by their ids. */
export function registerExplainer(server: GrpcServer, direct: string, { explainer, history }: ExplainServices): void {
  server.register(ExplainerService, {
    explain: async function* (request, { signal }) {
      if (request.run == null) {
        yield* explainer.explain(direct, request.ref || undefined, { signal });
        return;
      }
      const ref = buildRefOf(runId(request.run));
      const scope = history.scopeOfRun(ref);
      if (scope === undefined)
        throw new CodedError('not_found', `no record of the run ${request.run.runUid ?? ''}`, {
          fault: 'user',
          hint: 'records are of this builder alone, and of the last builds',
        });
      yield* explainer.explain(scope, ref, { signal });
    },
  });
}
