export { runDaemon, stopSignal } from './run.ts';
