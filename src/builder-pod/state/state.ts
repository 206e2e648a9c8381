import { mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, silentLogger } from '../../base/index.ts';
import { FsContentStore } from '../../cache/content/index.ts';
import { SqliteKeyStore } from '../../cache/keys/index.ts';
import { Leases } from '../../cache/leases/index.ts';
import { Database, Reserve } from '../../cache/metadata/index.ts';
import type { BlobFetchers } from '../../cache/ports.ts';
import { type LayerTools, layerTools, RefResultStore, Refs, type RefsOptions } from '../../cache/refs/index.ts';
import { Trash } from '../../cache/snapshots/index.ts';
import type { UnpackLimits } from '../../oci/layers/index.ts';
import { lockFile, ownPrivileges, type Pools, type Privileges, sweep, WorkerPool } from '../../sys/index.ts';
import { OverlaySnapshotter } from '../snapshotter/index.ts';
import { checkFormat, type Layout, layoutOf, makeDirectories } from './layout.ts';

export interface StateOptions {
  /** Made if missing. */
  readonly root: string;
  readonly pools: Pools;
  readonly log?: Logger;
  readonly fetchers?: BlobFetchers;
  readonly onPulled?: RefsOptions['onPulled'];
  readonly onResultDropped?: (resultId: string) => void;
  /** The cgroup above those of this builder's steps, as the executor has it. */
  readonly cgroupParent?: string;
  /** This process's when absent. */
  readonly privileges?: Privileges;
  /** What one layer may grow to. */
  readonly unpackLimits?: UnpackLimits | undefined;
  /** Bytes of a packed layer from which on it becomes an image where that can be. */
  readonly minImageBytes?: number | undefined;
  /** For tests. */
  readonly tools?: LayerTools;
  /** For what nobody waits for; two threads of its own where absent. */
  readonly background?: WorkerPool;
  readonly syncDelayMs?: number;
  readonly bootId?: string;
}

/** All that a builder keeps, open. Disposing closes it in order: a later life finds everything finished. */
export interface State extends AsyncDisposable {
  /** Names this directory for good: containers, cgroups and namespaces of its builders carry it. */
  readonly id: string;
  readonly layout: Layout;
  readonly db: Database;
  readonly content: FsContentStore;
  readonly snapshotter: OverlaySnapshotter;
  readonly refs: Refs;
  readonly results: RefResultStore;
  /** Forgets by itself the results that are pruned or found gone. */
  readonly keys: SqliteKeyStore;
  readonly leases: Leases;
  readonly trash: Trash;
  /** Filled from time to time; by who opened the state as soon as all of its own files are there. */
  readonly reserve: Reserve;
  readonly pools: Pools;
}

const BACKGROUND_THREADS = 2;

const STATE_TABLES = ['CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID'];

/**
 * Opens a state directory, alone: takes its lock, checks its format, unmounts and sweeps what an earlier life left, and after a restart of the machine
 * drops what was not yet durable. @throws CodedError failed_precondition when in use, foreign or of another version
 */
export async function openState(options: StateOptions): Promise<State> {
  const { pools, log = silentLogger, privileges = ownPrivileges() } = options;
  await using opened = new AsyncDisposableStack();
  mkdirSync(options.root, { recursive: true, mode: 0o711 });
  const layout = layoutOf(realpathSync(options.root));
  opened.use(lockFile(join(layout.root, 'lock')));
  const id = checkFormat(layout);
  // First of all: a step of the earlier life may still be writing.
  const swept = await sweep({ stateId: id, directory: layout.root }, options.cgroupParent);
  if (swept.processes + swept.mounts > 0) log.info('ended what an earlier life left', swept);
  const background =
    options.background ?? opened.use(new WorkerPool({ name: 'background', threads: BACKGROUND_THREADS }));
  const reserve = opened.use(new Reserve({ directory: layout.reserve, pool: background }));
  // A start writes and makes files of its own; nobody else does now.
  if (reserve.isNeeded) reserve.release();
  makeDirectories(layout);

  const trash = opened.use(new Trash(join(layout.tmp, 'trash'), background));
  for (const name of readdirSync(layout.tmp)) if (name !== 'trash') trash.discard(join(layout.tmp, name));
  for (const name of readdirSync(layout.run)) if (name !== 'mounts') trash.discard(join(layout.run, name));
  for (const name of readdirSync(layout.mounts)) trash.discard(join(layout.mounts, name));

  const db = opened.use(new Database(layout.database, { pool: background, reserve }));
  db.migrate('state', STATE_TABLES);
  const value = (key: string) => db.get<{ value: string }>('SELECT value FROM state WHERE key = ?', key)?.value;
  const setValue = (key: string, text: string) =>
    db.reserved(() => db.run('INSERT OR REPLACE INTO state VALUES (?, ?)', key, text));
  const bootId = options.bootId ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const rebooted = value('boot') !== undefined && value('boot') !== bootId;

  const { syncDelayMs } = options;
  const snapshotter = opened.use(
    new OverlaySnapshotter({
      ...{ db, directory: layout.snapshots, trash, pools, background, rebooted, privileges, log },
      minImageBytes: options.minImageBytes,
      ...(syncDelayMs === undefined ? {} : { syncDelayMs }),
    }),
  );
  const content = opened.use(
    new FsContentStore({ blobs: layout.blobs, tmp: layout.tmp, pools, background, rebooted, syncDelayMs }),
  );
  // Only now: had the sweeps been cut short, the next start must do them again.
  if (value('boot') !== bootId) setValue('boot', bootId);
  const keys = new SqliteKeyStore(db);
  const refs = opened.use(
    await Refs.open({
      ...{ db, content, snapshotter, pools, log, mountDirectory: layout.mounts },
      tools: options.tools ?? layerTools(pools, privileges, options.unpackLimits),
      ...(options.fetchers === undefined ? {} : { fetchers: options.fetchers }),
      onPulled: options.onPulled,
      onResultDropped: (id) => {
        keys.dropResult(id);
        options.onResultDropped?.(id);
      },
    }),
  );
  const results = new RefResultStore(refs);
  const closing = opened.move();
  return {
    ...{ id, layout, db, content, snapshotter, refs, results, keys, leases: new Leases(db), trash, reserve, pools },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
