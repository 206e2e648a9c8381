import { channel } from 'node:diagnostics_channel';

/** On which each thread tells what it starts that is more than a call, for whoever looks into a daemon. (Node tells of threads: `process.on('worker')`.) */
const starts = channel('slipway.starts');

/** A program was started, something mounted at a place, a file or file system made durable, or a thread called. */
export function tellStart(kind: 'process' | 'mount' | 'sync' | 'task', what: string): void {
  if (starts.hasSubscribers) starts.publish({ kind, what });
}
