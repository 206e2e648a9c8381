/** What every thread takes over of this process's own Node options: whom TLS trusts, and nothing that belongs to debuggers or test runners. */
export const THREAD_NODE_OPTIONS: readonly string[] = process.execArgv.filter((option) => option === '--use-system-ca');
