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
  for (const group of cgroupsOf(stateRoot)) found.push(`cgroup ${group}`);
  for (const file of tempFiles(stateRoot)) found.push(`file ${file}`);
  return found;
}

/** What lies in the folders that a start empties. */
export function tempFiles(stateRoot: string): string[] {
  const found: string[] = [];
  for (const folder of ['tmp', 'run']) {
    try {
      // Empty folders are the layout; whatever is left lies in one.
      for (const entry of readdirSync(path.join(stateRoot, folder), { recursive: true, withFileTypes: true }))
        if (!entry.isDirectory()) found.push(path.join(entry.parentPath, entry.name));
    } catch {
      // No such folder is as clean as an empty one.
    }
  }
  return found;
}

/** Groups named after the state directory's id, and those in them, in every tree. */
function cgroupsOf(stateRoot: string): string[] {
  let id: string | undefined;
  try {
    id = readFileSync(path.join(stateRoot, 'slipway-state'), 'utf8').split('\n')[1];
  } catch {
    return []; // never started
  }
  const found: string[] = [];
  const walk = (folder: string, depth: number) => {
    let names: string[];
    try {
      names = readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name);
    } catch {
      return; // gone meanwhile
    }
    for (const name of names) {
      const at = path.join(folder, name);
      if (at.split('/').includes(id as string)) found.push(at);
      if (depth < 6) walk(at, depth + 1);
    }
  };
  walk('/sys/fs/cgroup', 0);
  return found;
}
