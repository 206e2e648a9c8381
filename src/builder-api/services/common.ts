import { bidi, serverStream, service, unary } from '../grpc/service.ts';
import { containerd, google, grpc, opentelemetry } from '../wire/messages.js';

/** gRPC's own health service. */
export const Health = service('grpc.health.v1.Health', {
  check: unary('Check', grpc.health.v1.HealthCheckRequest, grpc.health.v1.HealthCheckResponse),
});

const content = containerd.services.content.v1;

/** Blobs by digest: read from the daemon, read and written in stores of the client. */
export const Content = service('containerd.services.content.v1.Content', {
  info: unary('Info', content.InfoRequest, content.InfoResponse),
  update: unary('Update', content.UpdateRequest, content.UpdateResponse),
  list: serverStream('List', content.ListContentRequest, content.ListContentResponse),
  delete: unary('Delete', content.DeleteContentRequest, google.protobuf.Empty),
  read: serverStream('Read', content.ReadContentRequest, content.ReadContentResponse),
  status: unary('Status', content.StatusRequest, content.StatusResponse),
  listStatuses: unary('ListStatuses', content.ListStatusesRequest, content.ListStatusesResponse),
  write: bidi('Write', content.WriteContentRequest, content.WriteContentResponse),
  abort: unary('Abort', content.AbortRequest, google.protobuf.Empty),
});

const trace = opentelemetry.proto.collector.trace.v1;

/** Spans that clients hand in; passed on unread. */
export const TraceService = service('opentelemetry.proto.collector.trace.v1.TraceService', {
  export: unary('Export', trace.ExportTraceServiceRequest, trace.ExportTraceServiceResponse),
});
