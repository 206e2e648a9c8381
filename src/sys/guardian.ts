import type { Cgroup } from './cgroup.ts';
import { type ChildProcess, DEFAULT_PATH, spawnProcess } from './process/spawn.ts';
import { markEnvironment } from './sweep.ts';

/**
 * Reads its input until the end, which comes when the daemon dies in whatever way; then kills what is in the given cgroup directories. It goes on for a
 * second after the last one, for runtimes that were just starting a step.
 */
const SCRIPT = `
trap '' HUP INT TERM
while read -r _; do :; done
quiet=0; round=0
while [ $quiet -lt 10 ] && [ $round -lt 300 ]; do
  pids=$(find "$@" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u)
  if [ -n "$pids" ]; then kill -KILL $pids 2>/dev/null; quiet=0; else quiet=$((quiet + 1)); fi
  round=$((round + 1)); sleep 0.1
done
`;

/**
 * Starts the process that takes the steps in `cgroup` down when this one dies. Dispose it after the last step's end. It carries the mark, so that
 * the sweep of the next life ends it before that life has steps in the same group.
 */
export function startGuardian(cgroup: Cgroup, stateId: string): ChildProcess {
  return spawnProcess({
    path: '/bin/sh',
    args: ['-c', SCRIPT, 'slipway-guardian', ...cgroup.directories],
    env: { PATH: DEFAULT_PATH, ...markEnvironment(stateId) },
    stdin: 'pipe',
    cwd: '/',
    lead: 'session',
  });
}
