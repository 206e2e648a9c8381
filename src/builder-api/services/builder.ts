import { serverStream, service, unary } from '../grpc/service.ts';
import { moby, slipway } from '../wire/messages.js';

const v1 = slipway.builder.v1;

/** Why steps of builds were run (`proto/explain.proto`). */
export const Explainer = service('slipway.builder.v1.Explainer', {
  explain: serverStream('Explain', v1.ExplainRequest, v1.ExplainResponse),
});

/** Solves that outlive the connection that started them: Slipway's own protocol (`proto/builder.proto`). */
export const Builder = service('slipway.builder.v1.Builder', {
  start: unary('Start', v1.StartRequest, v1.StartResponse),
  attach: serverStream('Attach', v1.AttachRequest, moby.buildkit.v1.StatusResponse),
  cancel: unary('Cancel', v1.CancelRequest, v1.CancelResponse),
  result: unary('Result', v1.ResultRequest, v1.ResultResponse),
  commit: unary('Commit', v1.CommitRequest, v1.CommitResponse),
  acknowledge: unary('Acknowledge', v1.AcknowledgeRequest, v1.AcknowledgeResponse),
  drain: unary('Drain', v1.DrainRequest, v1.DrainResponse),
  load: unary('Load', v1.LoadRequest, v1.LoadResponse),
});
