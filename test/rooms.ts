/**
 * The table of rooms (design 2) as data: what each folder of src/ may import beside `base`. The architecture test holds it for every import;
 * biome.json repeats it as lint rules for the editor, and the same test fails when the two differ.
 */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  sys: [],
  llb: [],
  solver: ['llb'],
  dockerfile: ['llb'],
  oci: ['sys'],
  cache: ['llb', 'solver', 'oci', 'sys'],
  'builder-api': ['llb', 'sys'],
  'builder-pod': ['llb', 'solver', 'dockerfile', 'oci', 'cache', 'builder-api', 'sys'],
  resources: [],
  plan: ['resources', 'llb', 'builder-api'],
  operator: ['resources', 'plan', 'llb', 'dockerfile', 'builder-api', 'oci', 'cache'],
  cli: [
    'sys',
    'llb',
    'solver',
    'dockerfile',
    'oci',
    'cache',
    'builder-api',
    'builder-pod',
    'resources',
    'plan',
    'operator',
  ],
};

/**
 * The rooms within a room: what each may import of its siblings, those above it in the table alone, so that there are no circles. A file
 * that lies in the room itself has a line of its own.
 */
export const SUB_ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'builder-pod': {
    executor: [],
    exporters: [],
    sbom: [],
    session: [],
    snapshotter: [],
    state: ['snapshotter'],
    frontends: ['executor'],
    sources: ['session'],
    ops: ['executor', 'sources'],
    engine: ['executor', 'exporters', 'frontends', 'ops', 'sbom', 'sources'],
    caches: ['engine', 'exporters'],
    protocol: ['engine'],
    history: ['engine', 'protocol', 'state'],
    builder: [
      'caches',
      'engine',
      'executor',
      'exporters',
      'frontends',
      'history',
      'ops',
      'session',
      'sources',
      'state',
    ],
    runs: ['builder', 'engine', 'history', 'protocol'],
    daemon: ['builder', 'engine', 'executor', 'frontends', 'history', 'protocol', 'runs', 'sources', 'state'],
    'main.ts': ['daemon'],
  },
};

/** Folders whose code has a thread or a process to itself, and may wait for the disk in it: elsewhere a worker does (`node:fs/promises` keeps a build's thread free, but not the few that Node has for all of them). */
export const MAY_WAIT_FOR_DISK: readonly string[] = ['sys', 'cli', 'oci/registry-server'];

/** Files that make what holds a place for computing (`base/places.ts`): tasks of worker threads, and processes of containers. */
export const COMPUTATIONS: readonly string[] = ['builder-pod/executor/container.ts', 'sys/threads/task-threads.ts'];

/** Rooms that `room` must not import. */
export function forbiddenFor(room: string): readonly string[] {
  const allowed = ROOMS[room] ?? [];
  return Object.keys(ROOMS).filter((other) => other !== room && other !== 'base' && !allowed.includes(other));
}
