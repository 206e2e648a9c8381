export { createExecutor, EMPTY_META, findRuntimes } from './create.ts';
export { describeEnd, ExecError } from './exec-error.ts';
export { OciExecutor, type StepLimits } from './executor.ts';
export { NETWORK_MODES, type NetworkMode, type NetworkProvider, networksOf } from './network.ts';
export type { Container, Executor, Process, ProcessEnd, ProcessSpec, StepMount } from './ports.ts';
export { runProcess, runStep, type Step } from './run-step.ts';
export { DEFAULT_LOG_LIMITS, type LogLimits, StepLog } from './step-log.ts';
export { StepsUsed } from './steps-used.ts';
