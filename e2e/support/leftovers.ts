import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What a dead builder could have left on this machine, by its state directory: mounts, processes, cgroups, temp files. */
export function leftovers(stateRoot: string): string[] {
  const found: string[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n'))
    if (line.split(' ')[4]?.startsWith(stateRoot)) found.push(`mount ${line.split(' ')[4]}`);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let command: string;
    try {
      command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      continue; // ended meanwhile
    }
    if (command.includes(stateRoot) && Number(pid) !== process.pid)
      found.push(`process ${pid} ${command.slice(0, 200)}`);
  }
  for (const folder of ['tmp', 'run']) {
    try {
      // Empty folders are the layout; whatever is left lies in one.
      for (const entry of readdirSync(path.join(stateRoot, folder), { recursive: true, withFileTypes: true }))
        if (!entry.isDirectory()) found.push(`file ${path.join(entry.parentPath, entry.name)}`);
    } catch {
      // No such folder is as clean as an empty one.
    }
  }
  return found;
}
