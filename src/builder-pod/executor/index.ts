export { type CreateExecutorOptions, createExecutor, EMPTY_META } from './create.ts';
export { describeEnd, ExecError } from './exec-error.ts';
export { type ExecutorOptions, OciExecutor, type StepLimits } from './executor.ts';
export {
  NETWORK_MODES,
  type Network,
  type NetworkAccess,
  type NetworkMode,
  type NetworkProvider,
  type Networks,
  networksOf,
} from './network.ts';
export type {
  Container,
  ContainerSpec,
  Executor,
  Process,
  ProcessEnd,
  ProcessSpec,
  StepMount,
  TerminalSize,
} from './ports.ts';
export { runProcess, runStep, type Step } from './run-step.ts';
export { findRuntime, type Runtime } from './runtime.ts';
export { DEFAULT_LOG_LIMITS, type LogLimits, StepLog } from './step-log.ts';
export { lookupGroup, lookupUser, type StepUser } from './user.ts';
