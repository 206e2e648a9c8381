import type { Digest, Platform } from '../../base/index.ts';
import type { Op, OpMetadata, ProgressGroup, SourceInfo, SourceRange } from '../op.ts';

/** Output `index` of a vertex. */
export interface LlbEdge {
  readonly vertex: LlbVertex;
  readonly index: number;
}

/** A loaded op: structurally the solver's `Vertex<VertexOp>`. */
export interface LlbVertex {
  /** Of the canonical bytes: the vertex's name in graph and status. */
  readonly digest: Digest;
  readonly name: string;
  readonly inputs: readonly LlbEdge[];
  readonly op: VertexOp;
  readonly ignoreCache: boolean;
  readonly progressGroup?: ProgressGroup;
}

export interface VertexOp {
  /** Inputs name vertex digests. */
  readonly op: Op;
  /** How many outputs it has. */
  readonly outputs: number;
  /** Normalized, the builder's own where none was named; only exec ops and image and OCI-layout sources have one. */
  readonly platform?: Platform;
  readonly metadata: OpMetadata;
  /** Where in which file the step stands. */
  readonly locations: readonly { readonly info: SourceInfo; readonly ranges: readonly SourceRange[] }[];
}

/** A definition as a graph; `root` is what it returns. */
export interface LlbGraph {
  readonly root: LlbEdge;
  /** All that root needs, inputs first. */
  readonly vertices: readonly LlbVertex[];
  /** Vertex digest of each op that root needs, by its wire digest. */
  readonly digests: ReadonlyMap<Digest, Digest>;
  /** Fields in the ops that this version does not know; they count in digests and do nothing. */
  readonly unknownFields: number;
}
