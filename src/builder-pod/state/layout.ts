import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, newId } from '../../base/index.ts';
import { fsyncDirectory } from '../../sys/index.ts';

/** Format of the directory as a whole; the database's tables have versions of their own. */
const FORMAT = 1;

/** Paths in a state directory. */
export interface Layout {
  readonly root: string;
  /** Content store: `<algorithm>/<hex>`. */
  readonly blobs: string;
  readonly snapshots: string;
  /** Temp files on the same file system; emptied at start. */
  readonly tmp: string;
  /** Sockets, bundles, mount points of this life; emptied at start. */
  readonly run: string;
  readonly mounts: string;
  readonly database: string;
  /** Logs of builds. */
  readonly history: string;
  /** Room kept for a full disk. */
  readonly reserve: string;
}

export function layoutOf(root: string): Layout {
  return {
    root,
    blobs: join(root, 'blobs'),
    snapshots: join(root, 'snapshots'),
    tmp: join(root, 'tmp'),
    run: join(root, 'run'),
    mounts: join(root, 'run', 'mounts'),
    database: join(root, 'slipway.db'),
    history: join(root, 'history'),
    reserve: join(root, 'reserve'),
  };
}

/**
 * Checks the format file (format, then the directory's id, a line each), or writes it into a directory that holds nothing of its kind; the id.
 * @throws CodedError failed_precondition
 */
export function checkFormat({ root, blobs, snapshots, database }: Layout): string {
  const file = join(root, 'slipway-state');
  if (existsSync(file)) {
    const [text = '', id] = readFileSync(file, 'utf8').split('\n');
    if (text === String(FORMAT) && id) return id;
    throw CodedError.of(
      'STATE_FORMAT',
      `state directory ${root} has format ${JSON.stringify(text)}, this Slipway knows ${FORMAT}`,
    );
  }
  const foreign = [blobs, snapshots, database].find((path) => existsSync(path));
  if (foreign !== undefined) {
    throw CodedError.of('STATE_FOREIGN', `${root} is no state directory of Slipway, but ${foreign} is there`);
  }
  // By rename, so that a crash leaves no empty format file.
  const id = newId();
  writeFileSync(`${file}.tmp`, `${FORMAT}\n${id}\n`, { flush: true });
  renameSync(`${file}.tmp`, file);
  fsyncDirectory(root);
  return id;
}

export function makeDirectories(layout: Layout): void {
  for (const path of [layout.blobs, layout.snapshots, layout.history, layout.tmp, layout.run, layout.mounts]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }
  chmodSync(layout.snapshots, 0o700);
}
