import { type Afterwork, CodedError, type Digest, hostPlatform, type Places, RecentMap } from '../../base/index.ts';
import type { ContentHasher } from '../../cache/contenthash/index.ts';
import type { CacheMountExchange, ImmutableRef, RefManager } from '../../cache/ports.ts';
import { refResult } from '../../cache/refs/index.ts';
import type { VertexOp } from '../../llb/index.ts';
import type { UnpackLimits } from '../../oci/layers/index.ts';
import type { Op, OpResolver, Vertex } from '../../solver/index.ts';
import type { Pools } from '../../sys/index.ts';
import type { Executor, LogLimits } from '../executor/index.ts';
import { execOp } from '../ops/exec/index.ts';
import { fileOp } from '../ops/file/index.ts';
import { reportingLostInputs } from '../ops/lost-inputs.ts';
import { diffOp, mergeOp } from '../ops/merge.ts';
import { sourceOp } from '../ops/source.ts';
import type { SourceRegistry, SourceSecrets } from '../sources/index.ts';
import { withoutOwnPaths } from '../state/index.ts';

interface OpResolverOptions {
  /** The state directory: a path that no error of an op tells. */
  readonly stateRoot: string;
  readonly refs: RefManager;
  readonly hasher: ContentHasher;
  readonly executor: Executor;
  readonly afterwork: Afterwork;
  readonly sources: SourceRegistry;
  readonly secrets: SourceSecrets;
  readonly pools: Pools;
  readonly tempDirectory: string;
  /** Of archives that ADD unpacks. */
  readonly unpackLimits?: UnpackLimits | undefined;
  readonly logLimits?: LogLimits | undefined;
  readonly exchange?: CacheMountExchange | undefined;
  /** Of the processes of steps; absent, there is no limit. */
  readonly steps?: Places | undefined;
}

/** Runs whose keys are remembered. */
const REMEMBERED = 10_000;

/** Digests of keys of runs by what they are made of: the op, which the vertex's digest is of, and the platform. */
type KeyDigests = RecentMap<string, Digest>;

/** The ops that this builder runs. */
export function opResolver(options: OpResolverOptions): OpResolver<VertexOp, ImmutableRef> {
  const keys: KeyDigests = new RecentMap(REMEMBERED);
  return { resolve: (vertex) => hidingOwnPaths(resolveOp(vertex, options, keys), options.stateRoot) };
}

/** The op, whose errors are for whoever builds: the vertex and the build show them. */
function hidingOwnPaths(op: Op<ImmutableRef>, stateRoot: string): Op<ImmutableRef> {
  const hide = (error: unknown): never => {
    throw error instanceof Error && error.message.includes(stateRoot) ? withoutOwnPaths(error, stateRoot) : error;
  };
  return {
    ...op,
    cacheMap: async (...args) => await op.cacheMap(...args).catch(hide),
    exec: async (inputs, context) => await op.exec(inputs, context).catch(hide),
  };
}

function resolveOp(vertex: Vertex<VertexOp>, options: OpResolverOptions, keys: KeyDigests): Op<ImmutableRef> {
  const { op, platform, metadata } = vertex.op;
  const { refs, hasher, executor, afterwork, secrets, sources, steps, pools, tempDirectory, unpackLimits, logLimits } =
    options;
  const inputCount = vertex.inputs.length;
  switch (op.body.kind) {
    case 'source':
      return sourceOp(op.body.source, platform, { sources });
    case 'exec': {
      const { linuxResources, ignoreCache: uncached } = metadata;
      const on = platform ?? hostPlatform();
      return reportingLostInputs(
        execOp(op.body.exec, on, inputCount, {
          ...{ refs, executor, afterwork, secrets, hasher, places: steps, resultOf: refResult, logLimits },
          ...{ exchange: options.exchange, uncached },
          keepDigest: (make) => keys.getOrMake(`${vertex.digest} ${JSON.stringify(on)}`, make),
          ...(linuxResources === undefined ? {} : { resources: linuxResources }),
        }),
      );
    }
    case 'file':
      return reportingLostInputs(
        fileOp(op.body.file, inputCount, {
          ...{ refs, hasher, tempDirectory, unpackLimits, resultOf: refResult },
          pool: pools.bulk,
          name: vertex.name,
        }),
      );
    case 'merge':
      return mergeOp(op.body.merge.inputs, inputCount, { refs, hasher, resultOf: refResult, name: vertex.name });
    case 'diff':
      return diffOp(op.body.diff, { refs, hasher, resultOf: refResult, name: vertex.name });
    default:
      throw CodedError.of('NOT_BUILT', `ops of the kind ${op.body.kind} are not supported by this builder yet`);
  }
}
