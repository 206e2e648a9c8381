import { siblingModule, tasksOf } from '../../sys/index.ts';

/** The builder's own scanner, which reads what is installed in a file system. */
export const scanTask = tasksOf<typeof import('./scan-task.ts')>(siblingModule(import.meta.url, './scan-task'));
