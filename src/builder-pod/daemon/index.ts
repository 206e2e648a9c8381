export { type DaemonConfig, readConfig } from './config.ts';
export { type Daemon, startDaemon } from './daemon.ts';
export { parseFlags } from './flags.ts';
export { runDaemon, stopSignal } from './run.ts';
