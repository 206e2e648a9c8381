import { bidi, serverStream, service, unary } from '../grpc/service.ts';
import { moby } from '../wire/messages.js';

const v1 = moby.buildkit.v1;

/** What clients of a builder call. */
export const Control = service('moby.buildkit.v1.Control', {
  diskUsage: unary('DiskUsage', v1.DiskUsageRequest, v1.DiskUsageResponse),
  prune: serverStream('Prune', v1.PruneRequest, v1.UsageRecord),
  solve: unary('Solve', v1.SolveRequest, v1.SolveResponse),
  status: serverStream('Status', v1.StatusRequest, v1.StatusResponse),
  session: bidi('Session', v1.BytesMessage, v1.BytesMessage),
  listWorkers: unary('ListWorkers', v1.ListWorkersRequest, v1.ListWorkersResponse),
  info: unary('Info', v1.InfoRequest, v1.InfoResponse),
  listenBuildHistory: serverStream('ListenBuildHistory', v1.BuildHistoryRequest, v1.BuildHistoryEvent),
  updateBuildHistory: unary('UpdateBuildHistory', v1.UpdateBuildHistoryRequest, v1.UpdateBuildHistoryResponse),
});

/** Metadata that routes LLBBridge calls to their build. */
export const BUILD_ID_METADATA = 'buildkit-controlapi-buildid';
/** Response header of Status and ListenBuildHistory: the builder's clock, RFC 3339 with nanoseconds. */
export const CURRENT_TIMESTAMP_METADATA = 'buildkit-current-timestamp';
