import { containerSuite } from './testing/container-suite.ts';
import { usableRuntimes } from './testing/usable-runtimes.ts';

for (const runtime of await usableRuntimes()) containerSuite(runtime);
