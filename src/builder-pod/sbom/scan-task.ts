import { CodedError } from '../../base/index.ts';
import { openRoot, sharedBytes, type TaskContext } from '../../sys/index.ts';
import { binaryPackages } from './binaries.ts';
import { readerOf } from './language-packages.ts';
import type { FoundPackage } from './package.ts';
import { spdxDocument } from './spdx.ts';
import { alpinePackages, debianPackages, distributionOf } from './system-packages.ts';
import { ScannedTree } from './tree.ts';

/** Of one file system. */
const MOST_PACKAGES = 100_000;
const LEAST_BINARY = 1024;

/**
 * Worker task: the packages in a directory tree, as an SPDX document. Nothing outside of the tree is read, and nothing in it run.
 * @throws CodedError where it is of more packages than a document is to have
 */
export function scanTree(
  args: { readonly root: string; readonly name: string; readonly created: string },
  context: TaskContext,
): Uint8Array {
  using root = openRoot(args.root);
  const tree = new ScannedTree(root, context);
  const distribution = distributionOf(tree);
  const found = [...bounded(packagesIn(tree, distribution))];
  const { name, created } = args;
  return sharedBytes(spdxDocument(found, { name, created, distribution, notes: tree.notes }));
}

function* packagesIn(tree: ScannedTree, distribution: ReturnType<typeof distributionOf>): Generator<FoundPackage> {
  yield* debianPackages(tree, distribution);
  yield* alpinePackages(tree, distribution);
  for (const { path, isDirectory, mode, size } of tree.walk()) {
    if (isDirectory) continue;
    const reader = readerOf(path);
    if (reader !== undefined) yield* tree.readable(path, reader(tree, path));
    else if ((mode & 0o111) !== 0 && size >= LEAST_BINARY) yield* tree.readable(path, binaryPackages(tree, path));
  }
}

function* bounded(all: Iterable<FoundPackage>): Generator<FoundPackage> {
  let count = 0;
  for (const one of all) {
    if (++count > MOST_PACKAGES)
      throw CodedError.of('EXPORT_ATTESTATION', `the file system has more than ${MOST_PACKAGES} packages to tell of`);
    yield one;
  }
}
