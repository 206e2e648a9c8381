import { bidi, service, unary } from '../grpc/service.ts';
import { moby } from '../wire/messages.js';

const f = moby.buildkit.v1.frontend;

/** What frontends call, in a container or in the client. */
export const LLBBridge = service('moby.buildkit.v1.frontend.LLBBridge', {
  resolveImageConfig: unary('ResolveImageConfig', f.ResolveImageConfigRequest, f.ResolveImageConfigResponse),
  resolveSourceMeta: unary('ResolveSourceMeta', f.ResolveSourceMetaRequest, f.ResolveSourceMetaResponse),
  solve: unary('Solve', f.SolveRequest, f.SolveResponse),
  readFile: unary('ReadFile', f.ReadFileRequest, f.ReadFileResponse),
  readDir: unary('ReadDir', f.ReadDirRequest, f.ReadDirResponse),
  statFile: unary('StatFile', f.StatFileRequest, f.StatFileResponse),
  evaluate: unary('Evaluate', f.EvaluateRequest, f.EvaluateResponse),
  ping: unary('Ping', f.PingRequest, f.PongResponse),
  return: unary('Return', f.ReturnRequest, f.ReturnResponse),
  inputs: unary('Inputs', f.InputsRequest, f.InputsResponse),
  newContainer: unary('NewContainer', f.NewContainerRequest, f.NewContainerResponse),
  releaseContainer: unary('ReleaseContainer', f.ReleaseContainerRequest, f.ReleaseContainerResponse),
  execProcess: bidi('ExecProcess', f.ExecMessage, f.ExecMessage),
  readFileContainer: unary('ReadFileContainer', f.ReadFileRequest, f.ReadFileResponse),
  readDirContainer: unary('ReadDirContainer', f.ReadDirRequest, f.ReadDirResponse),
  statFileContainer: unary('StatFileContainer', f.StatFileRequest, f.StatFileResponse),
  warn: unary('Warn', f.WarnRequest, f.WarnResponse),
});
