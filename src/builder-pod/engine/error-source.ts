import { type CodedError, type Digest, LargeMap, restated, toCodedError } from '../../base/index.ts';
import { type LlbVertex, sourceDetails, type VertexOp } from '../../llb/index.ts';

/** Where in the user's files the steps of a build stand; tells errors of a step by `errdefs.Source`. */
export class SourceLocations {
  readonly #locations = LargeMap.byText<string, VertexOp['locations']>();

  add({ digest, op }: LlbVertex): void {
    if (op.locations.length > 0) this.#locations.set(digest, op.locations);
  }

  explain(error: unknown): CodedError {
    const coded = toCodedError(error);
    if (coded.details.some((detail) => detail.type === 'errdefs.Source')) return coded;
    const vertex = coded.details.find((detail) => detail.type === 'errdefs.Vertex')?.value as
      | { readonly digest: Digest }
      | undefined;
    const locations = vertex === undefined ? undefined : this.#locations.get(vertex.digest);
    if (locations === undefined) return coded;
    return restated(error, { details: [...sourceDetails(locations), ...coded.details] });
  }
}
