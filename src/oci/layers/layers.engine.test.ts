import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { type Digest, HOUSE, neverAborted } from '../../base/index.ts';
import {
  createPools,
  decodeName,
  inUserNamespace,
  lstat,
  lutimensNs,
  mknod,
  mount,
  ROOT,
  setXattr,
  unmount,
} from '../../sys/index.ts';
import type { CompressionChoice } from '../compression/index.ts';
import { encodeTarHeader, type TarEntry, TarReader, tarPadding } from '../tar/index.ts';
import {
  applyLayer,
  convertLayer,
  DEFAULT_UNPACK_LIMITS,
  extractArchive,
  indexLayer,
  packLayer,
  type UnpackLimits,
} from './index.ts';
import { describeTree, tempDirectory } from './testing/trees.ts';

const pools = createPools({ short: 1, bulk: 2 });
afterAll(() => pools[Symbol.asyncDispose]());
const signal = neverAborted;
const gzip: CompressionChoice = { type: 'gzip' };

/** A tree with all that a layer can hold. */
function fillTree(root: string): void {
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'bin/su'), 'setuid program');
  chownSync(join(root, 'bin/su'), 0, 12);
  chmodSync(join(root, 'bin/su'), 0o4755);
  linkSync(join(root, 'bin/su'), join(root, 'bin/su-too'));
  symlinkSync('../bin/su', join(root, 'link'));
  linkSync(join(root, 'link'), join(root, 'link-too'));
  mkdirSync(join(root, 'tmp'));
  chmodSync(join(root, 'tmp'), 0o1777);
  mkdirSync(join(root, 'shared'));
  chownSync(join(root, 'shared'), 70_000, 3_000_000);
  chmodSync(join(root, 'shared'), 0o2770);
  writeFileSync(join(root, 'shared/ünï\u{1f6a2}'), Buffer.alloc(3_000_000, 'pattern'));
  writeFileSync(join(root, 'shared/empty'), '');
  setXattr(join(root, 'shared/empty'), 'user.binary', Buffer.from([0, 0xff, 0xfe, 0x0a, 0x3d]));
  setXattr(join(root, 'shared/empty'), 'user.nothing', Buffer.alloc(0));
  // A file capability: cap_net_raw+ep, little-endian vfs_cap_data.
  setXattr(join(root, 'bin/su'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
  setXattr(join(root, 'tmp'), 'trusted.note', Buffer.from('kept'));
  mknod(join(root, 'null'), 0o020666, 1, 3);
  mknod(join(root, 'disk'), 0o060640, 259, 65_537);
  mknod(join(root, 'pipe'), 0o010600);
  const long = join(root, 'd'.repeat(120), 'e'.repeat(120));
  mkdirSync(long, { recursive: true });
  writeFileSync(join(long, 'f'.repeat(200)), 'deep');
  symlinkSync('x'.repeat(300), join(root, 'long-link'));
  for (const [index, path] of [
    'bin/su',
    'link',
    'shared/empty',
    'null',
    'pipe',
    'tmp',
    'shared',
    'bin',
    'd'.repeat(120),
  ].entries())
    lutimensNs(join(root, path), 1_700_000_000_000_000_000n, 1_600_000_000_123_456_789n + BigInt(index));
  lutimensNs(join(root, 'disk'), 0n, 5_500_000_000n);
}

/** The time of a directory that did not change otherwise goes with no layer. */
function withoutDirectoryTimes(tree: Record<string, unknown>): Record<string, unknown> {
  const strip = ({ mtime, ...entry }: Record<string, unknown>) =>
    entry['type'] === 'dir' ? entry : { ...entry, mtime };
  return Object.fromEntries(
    Object.entries(tree).map(([path, entry]) => [path, strip(entry as Record<string, unknown>)]),
  );
}

const tar = (...entries: (Partial<TarEntry> & { name: string; content?: string })[]) =>
  Buffer.concat([
    ...entries.flatMap(({ content = '', ...entry }) => [
      encodeTarHeader({ type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0n, ...entry, size: content.length }),
      Buffer.from(content),
      Buffer.alloc(tarPadding(content.length)),
    ]),
    Buffer.alloc(1024),
  ]);

/** Where an archive goes. */
const into = (directory: string, owner?: { uid: number; gid: number }) => async () => ({ directory, owner });

function namesIn(blob: string): string[] {
  const names: string[] = [];
  const reader = new TarReader({ entry: ({ name }) => void names.push(name) });
  reader.push(gunzipSync(readFileSync(blob)));
  return names;
}

const sha256 = (data: Uint8Array) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

describe('packing and unpacking', () => {
  test('a layer gives the same tree back, and its digests are those of its bytes', async () => {
    using temp = tempDirectory();
    const [tree, back] = [join(temp.path, 'tree'), join(temp.path, 'back')];
    mkdirSync(tree);
    mkdirSync(back);
    fillTree(tree);
    for (const compression of [gzip, { type: 'zstd' }, { type: 'uncompressed' }] as const) {
      rmSync(back, { recursive: true });
      mkdirSync(back);
      const blob = join(temp.path, 'blob');
      const layer = await packLayer(pools.bulk, { directory: tree, into: blob, compression, signal, owner: HOUSE });
      const bytes = readFileSync(blob);
      expect(layer).toMatchObject({ digest: sha256(bytes), size: bytes.length });
      if (compression.type === 'gzip') expect(layer.diffId).toBe(sha256(gunzipSync(bytes)));
      const { digest, diffId } = layer;
      const unpacked = await applyLayer(pools.bulk, { blob, directory: back, digest, diffId, signal, owner: HOUSE });
      expect(unpacked.diffSize).toBe(layer.diffSize);
      expect(describeTree(back)).toEqual(describeTree(tree, { wholeSeconds: true }));
    }
  });

  test('GNU tar reads what is packed, to the same tree', async () => {
    using temp = tempDirectory();
    const [tree, back, blob] = [join(temp.path, 'tree'), join(temp.path, 'back'), join(temp.path, 'blob.tgz')];
    mkdirSync(tree);
    mkdirSync(back);
    fillTree(tree);
    await packLayer(pools.bulk, { directory: tree, into: blob, compression: gzip, signal, owner: HOUSE });
    execFileSync('gzip', ['-t', '-S', '.tgz', blob]);
    execFileSync('tar', ['-xzpf', blob, '-C', back, '--xattrs', '--xattrs-include=*', '--numeric-owner'], {
      stdio: 'pipe',
    });
    expect(describeTree(back)).toEqual(describeTree(tree, { wholeSeconds: true }));
  });

  test.each(['pax', 'gnu'])('what GNU tar packs (%s) is read, to the same tree', async (format) => {
    using temp = tempDirectory();
    const [tree, back, blob] = [join(temp.path, 'tree'), join(temp.path, 'back'), join(temp.path, 'a.tar')];
    mkdirSync(tree);
    mkdirSync(back);
    fillTree(tree);
    const attributes = format === 'pax' ? ['--xattrs', '--xattrs-include=*'] : [];
    execFileSync('tar', ['-cf', blob, `--format=${format}`, ...attributes, '-C', tree, '.'], { stdio: 'pipe' });
    if (format === 'gnu') {
      // This form holds whole seconds and no attributes.
      const other = join(temp.path, 'other');
      mkdirSync(other);
      execFileSync('tar', ['-xpf', blob, '-C', other, '--numeric-owner']);
      expect(
        await extractArchive(pools.bulk, {
          archive: blob,
          target: into(back),
          tempDirectory: temp.path,
          signal,
          owner: HOUSE,
        }),
      ).toBe(true);
      expect(describeTree(back)).toEqual(describeTree(other));
      return;
    }
    await applyLayer(pools.bulk, { blob, directory: back, signal, owner: HOUSE });
    expect(describeTree(back)).toEqual(describeTree(tree));
  });

  test('bytes are the same from any thread, and for any copy of the tree made in another order', async () => {
    using temp = tempDirectory();
    const tree = join(temp.path, 'tree');
    mkdirSync(tree);
    for (const name of ['b', 'a', 'a-b', 'a.c', 'Z']) mkdirSync(join(tree, name));
    for (let i = 0; i < 300; i++) writeFileSync(join(tree, `a/${i}`), Buffer.alloc(i * 50, `${i}`));
    // More than is compressed as a whole.
    writeFileSync(join(tree, 'b/large'), Buffer.alloc(5_000_000, 'pattern'));
    const copy = join(temp.path, 'copy');
    mkdirSync(copy);
    execFileSync('sh', [
      '-c',
      `cd ${tree} && find . -depth -print | sort -r | cpio --quiet -pdm ${copy} 2>/dev/null || cp -a ${tree}/. ${copy}`,
    ]);
    const sourceDateEpoch = 1_000_000_000;
    const pack = (directory: string, name: string, implementation?: 'zlib') =>
      packLayer(pools.bulk, {
        directory,
        into: join(temp.path, name),
        compression: { ...gzip, implementation },
        sourceDateEpoch,
        signal,
        owner: HOUSE,
      });
    const layers = await Promise.all([pack(tree, '1'), pack(tree, '2'), pack(copy, '3'), pack(copy, '4')]);
    expect(new Set(layers.map(({ digest }) => digest)).size).toBe(1);
    const slow = await Promise.all([pack(tree, '5', 'zlib'), pack(tree, '6', 'zlib')]);
    expect(slow[0]?.digest).toBe(slow[1]?.digest);
    expect(slow[0]?.diffId).toBe(layers[0]?.diffId);
    const times = new Set<bigint>();
    const reader = new TarReader({ entry: ({ mtime }) => void times.add(mtime) });
    reader.push(gunzipSync(readFileSync(join(temp.path, '1'))));
    expect([...times]).toEqual([1_000_000_000_000_000_000n]);
  });

  test('names and link targets that are not UTF-8 survive byte for byte', async () => {
    using temp = tempDirectory();
    const [tree, back, blob] = [join(temp.path, 'tree'), join(temp.path, 'back'), join(temp.path, 'blob')];
    const at = (directory: string, ...bytes: number[]) =>
      Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(bytes)]);
    mkdirSync(tree);
    mkdirSync(back);
    mkdirSync(at(tree, 0x64, 0xe9));
    writeFileSync(at(tree, 0x64, 0xe9, 0x2f, 0xff, 0xc3, 0xa9), 'odd');
    symlinkSync(Buffer.from([0xfe, 0x2f, 0x61]), at(tree, 0x6c));
    setXattr(
      join(tree, decodeName(Buffer.from([0x64, 0xe9])), decodeName(Buffer.from([0xff, 0xc3, 0xa9]))),
      'user.x',
      Buffer.from('y'),
    );
    const { digest, diffId } = await packLayer(pools.bulk, {
      directory: tree,
      into: blob,
      compression: gzip,
      signal,
      owner: HOUSE,
    });
    await applyLayer(pools.bulk, { blob, directory: back, digest, diffId, signal, owner: HOUSE });
    expect(readFileSync(at(back, 0x64, 0xe9, 0x2f, 0xff, 0xc3, 0xa9), 'utf8')).toBe('odd');
    expect(readlinkSync(at(back, 0x6c), { encoding: 'buffer' })).toEqual(Buffer.from([0xfe, 0x2f, 0x61]));
    const again = await packLayer(pools.bulk, { directory: back, into: blob, compression: gzip, signal, owner: HOUSE });
    expect(again.digest).toBe(digest);
  });

  test('a full disk fails with its error, and an abort stops the work with its reason', async () => {
    using temp = tempDirectory();
    const [tree, small] = [join(temp.path, 'tree'), join(temp.path, 'small')];
    mkdirSync(tree);
    mkdirSync(small);
    writeFileSync(join(tree, 'noise'), randomBytes(8 << 20));
    mount({ type: 'tmpfs', source: 'tmpfs', options: ['size=2m'] }, small);
    try {
      const full = packLayer(pools.bulk, {
        directory: tree,
        into: join(small, 'blob'),
        compression: gzip,
        signal,
        owner: HOUSE,
      });
      await expect(full).rejects.toMatchObject({ code: 'ENOSPC' });
      const blob = join(temp.path, 'blob');
      await packLayer(pools.bulk, { directory: tree, into: blob, compression: gzip, signal, owner: HOUSE });
      await expect(applyLayer(pools.bulk, { blob, directory: small, signal, owner: HOUSE })).rejects.toMatchObject({
        code: 'ENOSPC',
      });
    } finally {
      unmount(small);
    }
    const before = readdirSync('/proc/self/fd').length;
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const packing = packLayer(pools.bulk, {
      directory: '/usr',
      into: join(temp.path, 'x'),
      compression: gzip,
      signal: controller.signal,
      owner: HOUSE,
    });
    setTimeout(() => controller.abort(reason), 30);
    await expect(packing).rejects.toBe(reason);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });

  test('a blob is converted to another compression with the same diff id', async () => {
    using temp = tempDirectory();
    const [tree, blob, other] = [join(temp.path, 'tree'), join(temp.path, 'blob'), join(temp.path, 'other')];
    mkdirSync(tree);
    fillTree(tree);
    const layer = await packLayer(pools.bulk, { directory: tree, into: blob, compression: gzip, signal, owner: HOUSE });
    const { digest } = layer;
    const made = await convertLayer(pools.bulk, {
      blob,
      digest,
      into: other,
      compression: { type: 'zstd' },
      signal,
      owner: HOUSE,
    });
    expect(made.diffId).toBe(layer.diffId);
    expect(made.digest).toBe(sha256(readFileSync(other)));
    const wrong = sha256(Buffer.from('x')) as `sha256:${string}`;
    const lying = convertLayer(pools.bulk, {
      blob,
      digest: wrong,
      into: other,
      compression: gzip,
      signal,
      owner: HOUSE,
    });
    await expect(lying).rejects.toMatchObject({ reason: 'OCI_DIGEST_MISMATCH' });
  });
});

describe('overlay', () => {
  test('changes of a real overlay come back through a layer: deletions, opaque directories, links, attributes', async () => {
    using temp = tempDirectory();
    const at = (name: string) => join(temp.path, name);
    for (const name of ['lower', 'upper', 'work', 'merged', 'upper2', 'merged2', 'work2']) mkdirSync(at(name));
    fillTree(at('lower'));
    mkdirSync(at('lower/replaced/inner'), { recursive: true });
    writeFileSync(at('lower/replaced/old'), 'old');
    const overlay = (upper: string, work: string, merged: string) =>
      mount(
        {
          type: 'overlay',
          source: 'overlay',
          options: [
            `lowerdir=${at('lower')}`,
            `upperdir=${at(upper)}`,
            `workdir=${at(work)}`,
            'redirect_dir=off',
            'metacopy=off',
            'index=off',
          ],
        },
        at(merged),
      );
    overlay('upper', 'work', 'merged');
    let wanted: Record<string, unknown>;
    try {
      rmSync(at('merged/bin/su-too'));
      rmSync(at('merged/null'));
      rmSync(at('merged/replaced'), { recursive: true });
      mkdirSync(at('merged/replaced'));
      writeFileSync(at('merged/replaced/new'), 'new');
      writeFileSync(at('merged/shared/one'), 'one');
      linkSync(at('merged/shared/one'), at('merged/shared/two'));
      chmodSync(at('merged/bin/su'), 0o6711);
      rmSync(at('merged/tmp'), { recursive: true });
      writeFileSync(at('merged/tmp'), 'a file now');
      setXattr(at('merged/shared'), 'user.changed', Buffer.from('yes'));
      wanted = describeTree(at('merged'), { wholeSeconds: true });
    } finally {
      unmount(at('merged'));
    }
    const pack = (upper: string, into: string) =>
      packLayer(pools.bulk, {
        directory: at(upper),
        below: at('lower'),
        into: at(into),
        compression: gzip,
        signal,
        owner: HOUSE,
      });
    const layer = await pack('upper', 'blob');
    expect(namesIn(at('blob'))).toEqual([
      ...['bin', 'bin/su', 'bin/.wh.su-too', '.wh.null'],
      ...['replaced', 'replaced/.wh.inner', 'replaced/new', 'replaced/.wh.old'],
      ...['shared', 'shared/one', 'shared/two', 'tmp'],
    ]);
    const { digest, diffId } = layer;
    await applyLayer(pools.bulk, {
      blob: at('blob'),
      directory: at('upper2'),
      lowers: [at('lower')],
      digest,
      diffId,
      signal,
      owner: HOUSE,
    });
    overlay('upper2', 'work2', 'merged2');
    try {
      expect(describeTree(at('merged2'), { wholeSeconds: true })).toEqual(wanted);
    } finally {
      unmount(at('merged2'));
    }
    expect((await pack('upper2', 'blob2')).digest).toBe(layer.digest);
  });

  describe('a layer holds what was changed and nothing else', () => {
    /** Names in the layer of what `change` does to an overlay on `fill`'s tree, and the tree that its unpacking shows. */
    async function changed(fill: (root: string) => void, change: (root: string) => void, privileges = ROOT) {
      using temp = tempDirectory();
      const at = (name: string) => join(temp.path, name);
      for (const name of ['lower', 'upper', 'work', 'merged', 'upper2']) mkdirSync(at(name));
      fill(at('lower'));
      const overlay = (options: string[]) =>
        mount(
          {
            type: 'overlay',
            source: 'overlay',
            options: [...options, ...privileges.overlayOptions],
          },
          at('merged'),
        );
      overlay([`lowerdir=${at('lower')}`, `upperdir=${at('upper')}`, `workdir=${at('work')}`, 'index=off']);
      let wanted: Record<string, unknown>;
      try {
        change(at('merged'));
        wanted = withoutDirectoryTimes(describeTree(at('merged'), { wholeSeconds: true }));
      } finally {
        unmount(at('merged'));
      }
      const [directory, below, blob] = [at('upper'), at('lower'), at('blob')];
      await packLayer(pools.bulk, {
        directory,
        below,
        into: blob,
        compression: gzip,
        privileges,
        signal,
        owner: HOUSE,
      });
      await applyLayer(pools.bulk, {
        blob,
        directory: at('upper2'),
        lowers: [below],
        privileges,
        signal,
        owner: HOUSE,
      });
      overlay([`lowerdir=${at('upper2')}:${at('lower')}`]);
      try {
        expect(withoutDirectoryTimes(describeTree(at('merged'), { wholeSeconds: true }))).toEqual(wanted);
      } finally {
        unmount(at('merged'));
      }
      return namesIn(blob);
    }
    const fill = (root: string) => {
      mkdirSync(join(root, 'd/e'), { recursive: true });
      for (const name of ['d/a', 'd/b', 'd/e/c']) writeFileSync(join(root, name), name);
      writeFileSync(join(root, 'd/zero'), '');
      symlinkSync('a', join(root, 'd/link'));
      setXattr(join(root, 'd/b'), 'user.x', Buffer.from('1'));
      linkSync(join(root, 'd/a'), join(root, 'd/twin'));
    };
    test.each([
      ['root', ROOT],
      ['root of a user namespace', inUserNamespace(ROOT.capabilities)],
    ])('a directory that was replaced, for %s', async (_, privileges) => {
      const replace = (root: string) => {
        rmSync(join(root, 'd'), { recursive: true });
        mkdirSync(join(root, 'd'));
        writeFileSync(join(root, 'd/new'), '');
      };
      const gone = ['a', 'b', 'e', 'link', 'twin', 'zero'].map((name) => `d/.wh.${name}`);
      const names = await changed(fill, replace, privileges);
      expect(names.toSorted()).toEqual(['d', 'd/new', ...gone].toSorted());
    });

    test('an attribute of overlayfs that does not count here is a file’s own, and hides nothing', async () => {
      using temp = tempDirectory();
      const at = (name: string) => join(temp.path, name);
      mkdirSync(at('lower'));
      fill(at('lower'));
      mkdirSync(at('upper/d'), { recursive: true });
      writeFileSync(at('upper/d/new'), '');
      setXattr(at('upper/d'), 'user.overlay.opaque', Buffer.from('y'));
      const options = {
        directory: at('upper'),
        below: at('lower'),
        into: at('blob'),
        compression: gzip,
        signal,
        owner: HOUSE,
      };
      await packLayer(pools.bulk, options);
      expect(namesIn(at('blob'))).toEqual(['d', 'd/new']);
      await packLayer(pools.bulk, { ...options, privileges: inUserNamespace(ROOT.capabilities) });
      expect(namesIn(at('blob'))).toContain('d/.wh.a');
    });

    const rewrite = (path: string, content: string) => {
      const { atimeNs, mtimeNs } = lstat(path);
      writeFileSync(path, content);
      lutimensNs(path, atimeNs, mtimeNs);
    };

    test.each<[string, (root: string) => void, readonly string[]]>([
      ['nothing', () => {}, []],
      [
        'a mode set and set back',
        (root) => {
          chmodSync(join(root, 'd/e/c'), 0o600);
          chmodSync(join(root, 'd/e/c'), 0o644);
        },
        [],
      ],
      [
        'an owner set and set back',
        (root) => {
          chownSync(join(root, 'd/e/c'), 5, 5);
          chownSync(join(root, 'd/e/c'), 0, 0);
        },
        [],
      ],
      [
        'a file made and removed, a time of a directory',
        (root) => {
          writeFileSync(join(root, 'd/e/new'), '');
          rmSync(join(root, 'd/e/new'));
        },
        [],
      ],
      ['the same content, written again at its old time', (root) => rewrite(join(root, 'd/b'), 'd/b'), []],
      ['other content at the old time and size', (root) => rewrite(join(root, 'd/b'), 'D/B'), ['d', 'd/b']],
      ['a mode', (root) => chmodSync(join(root, 'd/e'), 0o700), ['d', 'd/e']],
      ['an attribute', (root) => setXattr(join(root, 'd/b'), 'user.x', Buffer.from('2')), ['d', 'd/b']],
      ['a time', (root) => lutimensNs(join(root, 'd/zero'), 0n, 5_000_000_000n), ['d', 'd/zero']],
      ['a deep removal', (root) => rmSync(join(root, 'd/e/c')), ['d', 'd/e', 'd/e/.wh.c']],
      [
        'a directory replaced: one whiteout for each child that is gone',
        (root) => {
          rmSync(join(root, 'd'), { recursive: true });
          mkdirSync(join(root, 'd'));
          mkdirSync(join(root, 'd/e'));
          writeFileSync(join(root, 'd/new'), 'x');
        },
        ['d', 'd/.wh.a', 'd/.wh.b', 'd/e', 'd/e/.wh.c', 'd/.wh.link', 'd/new', 'd/.wh.twin', 'd/.wh.zero'],
      ],
      [
        'a directory renamed',
        (root) => {
          cpSync(join(root, 'd/e'), join(root, 'made'), { recursive: true, preserveTimestamps: true });
          rmSync(join(root, 'd/e'), { recursive: true });
          renameSync(join(root, 'made'), join(root, 'f'));
        },
        ['d', 'd/.wh.e', 'f', 'f/c'],
      ],
      [
        'a directory made, renamed and removed again',
        (root) => {
          mkdirSync(join(root, 'made'));
          renameSync(join(root, 'made'), join(root, 'made2'));
          rmSync(join(root, 'made2'), { recursive: true });
        },
        [],
      ],
      [
        'a directory in place of a file, and a file in place of a directory',
        (root) => {
          rmSync(join(root, 'd/b'));
          mkdirSync(join(root, 'd/b'));
          rmSync(join(root, 'd/e'), { recursive: true });
          writeFileSync(join(root, 'd/e'), '');
        },
        ['d', 'd/b', 'd/e'],
      ],
      [
        'one more name of a file below: its other names stay links of it',
        (root) => linkSync(join(root, 'd/b'), join(root, 'd/b2')),
        ['d', 'd/b2', 'd/b'],
      ],
      ['one more name that comes first', (root) => linkSync(join(root, 'd/b'), join(root, '0')), ['0', 'd', 'd/b']],
    ])('%s', async (_, change, names) => {
      expect(await changed(fill, change)).toEqual(names);
    });
  });

  async function apply(temp: string, archive: Buffer, lowers: string[] = []): Promise<string> {
    const [blob, upper] = [join(temp, `blob-${archive.length}`), join(temp, `upper-${Math.random()}`)];
    writeFileSync(blob, archive);
    mkdirSync(upper);
    await applyLayer(pools.bulk, { blob, directory: upper, lowers, signal, owner: HOUSE });
    return upper;
  }

  test('a whiteout and an entry of one name in one layer: the entry stays, what was below is hidden', async () => {
    using temp = tempDirectory();
    for (const order of [0, 1]) {
      const parts = [{ name: 'dir/.wh.x' }, { name: 'dir/x', type: 'directory' as const, mode: 0o755 }];
      const upper = await apply(temp.path, tar(...(order ? parts.reverse() : parts)));
      expect(describeTree(upper)).toMatchObject({
        'dir/x': { type: 'dir', xattrs: { 'trusted.overlay.opaque': Buffer.from('y').toString('hex') } },
      });
    }
    const upper = await apply(temp.path, tar({ name: '.wh.f' }, { name: 'f', content: 'new' }));
    expect(readFileSync(join(upper, 'f'), 'utf8')).toBe('new');
  });

  test('missing parents take their metadata from the layers below, and links there are followed', async () => {
    using temp = tempDirectory();
    const lower = join(temp.path, 'lower');
    mkdirSync(join(lower, 'usr/lib'), { recursive: true });
    symlinkSync('/usr/lib', join(lower, 'lib'));
    chownSync(join(lower, 'usr'), 7, 8);
    chmodSync(join(lower, 'usr'), 0o711);
    writeFileSync(join(lower, 'usr/lib/a'), 'from below');
    const upper = await apply(
      temp.path,
      tar({ name: 'lib/b', content: 'b' }, { name: 'linked', type: 'hardlink', linkname: 'lib/a' }),
      [lower],
    );
    expect(existsSync(join(upper, 'usr/lib/b'))).toBe(true);
    expect(describeTree(upper)).toMatchObject({ usr: { owner: '7:8', mode: '40711' } });
    expect(readFileSync(join(upper, 'linked'), 'utf8')).toBe('from below');
    expect(lstat(join(upper, 'linked')).ino).toBe(lstat(join(upper, 'usr/lib/a')).ino);
  });

  test('overlay attributes in a layer are dropped, aufs leftovers and unknown metadata too', async () => {
    using temp = tempDirectory();
    const xattrs = new Map([
      ['trusted.overlay.redirect', Buffer.from('/etc')],
      ['user.fine', Buffer.from('1')],
    ]);
    const upper = await apply(
      temp.path,
      tar(
        { name: 'd', type: 'directory', mode: 0o755, xattrs },
        { name: '.wh..wh.plnk/1', content: 'x' },
        { name: '.wh..wh.aufs' },
      ),
    );
    expect(describeTree(upper)).toMatchObject({ d: { xattrs: { 'user.fine': '31' } } });
    expect(existsSync(join(upper, '.wh..wh.aufs'))).toBe(false);
  });

  describe('hostile layers', () => {
    test.each([
      ['a name above the root', [{ name: '../escape', content: 'x' }], 'LAYER_ESCAPE'],
      ['a name above the root, later', [{ name: 'a/../../escape', content: 'x' }], 'LAYER_ESCAPE'],
      [
        'a hard link to a path above the root',
        [{ name: 'h', type: 'hardlink', linkname: '../../etc/passwd' }],
        'LAYER_ESCAPE',
      ],
      ['a hard link to nothing', [{ name: 'h', type: 'hardlink', linkname: 'missing' }], 'LAYER_HARDLINK'],
      [
        'a symlink loop',
        [
          { name: 'l', type: 'symlink', linkname: 'l' },
          { name: 'l/x', content: 'x' },
        ],
        'LAYER_SYMLINK_LOOP',
      ],
      [
        'a file as a directory',
        [
          { name: 'f', content: 'x' },
          { name: 'f/x', content: 'x' },
        ],
        'LAYER_NOT_A_DIRECTORY',
      ],
    ] as const)('%s is refused', async (_, entries, reason) => {
      using temp = tempDirectory();
      await expect(apply(temp.path, tar(...entries))).rejects.toMatchObject({ reason });
      expect(existsSync(join(temp.path, 'escape'))).toBe(false);
    });

    test('links to outside lead to the inside', async () => {
      using temp = tempDirectory();
      const outside = join(temp.path, 'outside');
      mkdirSync(outside);
      writeFileSync(join(outside, 'secret'), 'secret');
      const upper = await apply(
        temp.path,
        tar(
          { name: 'a', type: 'symlink', linkname: outside },
          { name: 'a/pwned', content: 'x' },
          { name: 'b', type: 'symlink', linkname: '../../../../../../etc' },
          { name: 'b/pwned', content: 'x' },
          { name: 'c', type: 'directory', mode: 0o755 },
          { name: 'c/x', content: 'first' },
          { name: 'c', type: 'symlink', linkname: outside },
          { name: 'c/y', content: 'second' },
          { name: '/absolute', content: 'x' },
          { name: 'secret-link', type: 'symlink', linkname: join(outside, 'secret') },
          { name: 'secret-link', content: 'replaced' },
        ),
      );
      expect(Object.keys(describeTree(outside))).toEqual(['secret']);
      expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
      expect(existsSync(join(upper, outside, 'y'))).toBe(true);
      expect(existsSync(join(upper, 'etc/pwned'))).toBe(true);
      expect(readFileSync(join(upper, 'secret-link'), 'utf8')).toBe('replaced');
      expect(existsSync(join(upper, 'absolute'))).toBe(true);
    });

    test('damage, lies about digests, and bombs are found; the stream form fails as its source does', async () => {
      using temp = tempDirectory();
      const [tree, blob] = [join(temp.path, 'tree'), join(temp.path, 'blob')];
      mkdirSync(tree);
      fillTree(tree);
      const layer = await packLayer(pools.bulk, {
        directory: tree,
        into: blob,
        compression: gzip,
        signal,
        owner: HOUSE,
      });
      const fresh = () => {
        const directory = join(temp.path, `${Math.random()}`);
        mkdirSync(directory);
        return directory;
      };
      const wrong = sha256(Buffer.from('wrong')) as `sha256:${string}`;
      const { digest, diffId } = layer;
      for (const lie of [
        { digest: wrong, diffId },
        { digest, diffId: wrong },
      ])
        await expect(
          applyLayer(pools.bulk, { blob, directory: fresh(), ...lie, signal, owner: HOUSE }),
        ).rejects.toMatchObject({
          code: 'data_loss',
          reason: 'OCI_DIGEST_MISMATCH',
        });
      await expect(
        applyLayer(pools.bulk, {
          ...{ blob, directory: fresh(), signal, owner: HOUSE },
          limits: { ...DEFAULT_UNPACK_LIMITS, maxUnpackedBytes: 1 << 20 },
        }),
      ).rejects.toMatchObject({ reason: 'UNPACK_LIMIT', message: expect.stringContaining('maxUnpackedBytes') });
      const directory = fresh();
      await applyLayer(pools.bulk, { blob, directory, digest, diffId, signal, owner: HOUSE });
      expect(describeTree(directory)).toEqual(describeTree(tree, { wholeSeconds: true }));
    });
  });
});

describe('archives that ADD unpacks', () => {
  /** Unpacks bytes as ADD does; the tree, or false when they are no archive. */
  async function add(temp: string, bytes: Buffer, limits?: UnpackLimits): Promise<false | Record<string, unknown>> {
    const [archive, directory] = [join(temp, `${Math.random()}`), join(temp, `out-${Math.random()}`)];
    writeFileSync(archive, bytes);
    mkdirSync(directory);
    const options = { archive, target: into(directory), tempDirectory: temp, limits, signal, owner: HOUSE };
    return (await extractArchive(pools.bulk, options)) && describeTree(directory);
  }

  test('times that BuildKit does not take are 1970, of every kind of entry', async () => {
    using temp = tempDirectory();
    const last = (1n << 63n) - 1n;
    const bytes = tar(
      { name: 'd', type: 'directory', mode: 0o755, mtime: -1n },
      { name: 'd/old', mtime: -5_000_000_000n },
      { name: 'd/first' },
      { name: 'd/last', mtime: last },
      { name: 'd/late', mtime: last + 1n },
      { name: 'd/link', type: 'symlink', linkname: 'old', mtime: 1n << 66n },
    );
    const mtimes = Object.entries((await add(temp.path, bytes)) as Record<string, { mtime: unknown }>);
    const of = Object.fromEntries(mtimes.map(([name, { mtime }]) => [name, String(mtime)]));
    expect(of).toMatchObject({
      d: '0',
      'd/old': '0',
      'd/first': '0',
      'd/last': String(last),
      'd/late': '0',
      'd/link': '0',
    });
  });

  test.each([
    ['gnu', []],
    ['pax', ['--sparse-version=0.0']],
    ['pax', ['--sparse-version=0.1']],
    ['pax', ['--sparse-version=1.0']],
  ])('sparse files of GNU tar (%s %j) get their content, holes and names', async (format, flags) => {
    using temp = tempDirectory();
    const tree = join(temp.path, 'tree');
    mkdirSync(tree);
    const sparse = (name: string, size: number, places: readonly number[]) => {
      const fd = openSync(join(tree, name), 'w');
      ftruncateSync(fd, size);
      for (const place of places) writeSync(fd, `content at ${place}`, place);
      closeSync(fd);
    };
    sparse('begins', 1 << 20, [0]);
    sparse('ends', (1 << 20) + 7, [1 << 20]);
    sparse('empty', 9 << 20, []);
    sparse(`${'long'.repeat(40)}`, 1 << 20, [5000, 500_000]);
    // More places than a header and three blocks of the old format hold.
    sparse(
      'many',
      64 << 20,
      Array.from({ length: 150 }, (_, n) => n * 300_000 + 4096),
    );
    writeFileSync(join(tree, 'plain'), 'after');
    const archive = join(temp.path, 'a.tar');
    execFileSync('tar', ['-S', `--format=${format}`, ...flags, '-cf', archive, '-C', tree, '.']);
    const bytes = readFileSync(archive);
    expect(bytes.length).toBeLessThan(2 << 20);
    const files = (all: Record<string, unknown> | false) =>
      Object.entries(all || {}).map(([name, entry]) => [name, (entry as { content: string }).content]);
    expect(files(await add(temp.path, bytes))).toEqual(files(describeTree(tree)));
    await expect(add(temp.path, bytes.subarray(0, 100_000))).rejects.toMatchObject({ reason: 'TAR_MALFORMED' });
  });

  test('whatever follows a gzip stream does not matter once the archive has ended; damage and cuts do', async () => {
    using temp = tempDirectory();
    const noise = randomBytes(600_000);
    const plain = tar({ name: 'noise', content: noise.toString('latin1').replace(/[^a]/g, 'b') }, { name: 'last' });
    const packed = gzipSync(plain);
    const names = async (bytes: Buffer) => Object.keys((await add(temp.path, bytes)) || {});
    expect(await names(Buffer.concat([packed, Buffer.from('garbage')]))).toEqual(['last', 'noise']);
    expect(await names(Buffer.concat([packed, Buffer.alloc(5000)]))).toEqual(['last', 'noise']);
    const halves = [plain.subarray(0, 700), plain.subarray(700)].map((half) => gzipSync(half));
    expect(await names(Buffer.concat(halves))).toEqual(['last', 'noise']);
    expect(await names(plain.subarray(0, -1024))).toEqual(['last', 'noise']);
    for (const [bytes, reason] of [
      [packed.subarray(0, -20), 'COMPRESSION_CORRUPT'],
      [plain.subarray(0, 2000), 'TAR_MALFORMED'],
      [Buffer.from(plain).fill(1, plain.length - 1500, plain.length - 1400), 'TAR_MALFORMED'],
      [Buffer.concat([gzipSync(plain.subarray(0, -1024)), Buffer.from('garbage')]), 'COMPRESSION_TRAILING'],
      [execFileSync('xz', ['-c'], { input: plain }).subarray(0, -30), 'COMPRESSION_CORRUPT'],
      [execFileSync('bzip2', ['-c'], { input: plain }).subarray(0, -3), 'COMPRESSION_CORRUPT'],
    ] as const)
      await expect(add(temp.path, bytes)).rejects.toMatchObject({ reason });
    // A first header that is wrong: a file like any other, packed or not.
    for (const bytes of [
      Buffer.from(plain).fill(1, 0, 5),
      gzipSync(noise),
      execFileSync('xz', { input: noise }).subarray(0, -9),
    ])
      expect(await add(temp.path, bytes)).toBe(false);
  });

  test.each(['gzip', 'zstd', 'xz', 'bzip2'])('a %s bomb is stopped at the bound, which is named', async (program) => {
    using temp = tempDirectory();
    const header = encodeTarHeader({
      type: 'file',
      name: 'bomb',
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: 200 << 20,
      mtime: 0n,
    });
    const bomb = execFileSync('sh', ['-c', `(cat; head -c ${(200 << 20) + 1024} /dev/zero) | ${program} -c`], {
      input: header,
      maxBuffer: 1 << 24,
    });
    const limits = { maxUnpackedBytes: 20 << 20, maxUnpackedEntries: 10 };
    const stopped = {
      code: 'resource_exhausted',
      reason: 'UNPACK_LIMIT',
      message: expect.stringContaining('maxUnpackedBytes'),
    };
    await expect(add(temp.path, bomb, limits)).rejects.toMatchObject(stopped);
    expect(Number(execFileSync('du', ['-sb', temp.path]).toString().split('\t')[0])).toBeLessThan(60 << 20);
    const blob = join(temp.path, 'blob');
    writeFileSync(blob, bomb);
    const upper = join(temp.path, 'upper');
    mkdirSync(upper);
    if (program === 'gzip' || program === 'zstd')
      await expect(
        applyLayer(pools.bulk, { blob, directory: upper, limits, signal, owner: HOUSE }),
      ).rejects.toMatchObject(stopped);
  });

  test('bounds hold for what has no bytes in the archive: holes, sizes that lie, and entries', async () => {
    using temp = tempDirectory();
    const limits = { maxUnpackedBytes: 20 << 20, maxUnpackedEntries: 10 };
    const hole = join(temp.path, 'hole');
    execFileSync('truncate', ['-s', '1T', hole]);
    const sparse = execFileSync('tar', ['-S', '-c', '-C', temp.path, 'hole']);
    rmSync(hole);
    await expect(add(temp.path, sparse, limits)).rejects.toMatchObject({ reason: 'UNPACK_LIMIT' });
    const lying = encodeTarHeader({ type: 'file', name: 'f', mode: 0o644, uid: 0, gid: 0, size: 2 ** 50, mtime: 0n });
    await expect(add(temp.path, lying, limits)).rejects.toMatchObject({ reason: 'UNPACK_LIMIT' });
    const many = tar(...Array.from({ length: 11 }, (_, n) => ({ name: `${n}` })));
    const message = expect.stringContaining('maxUnpackedEntries');
    await expect(add(temp.path, many, limits)).rejects.toMatchObject({ reason: 'UNPACK_LIMIT', message });
  });

  test('an archive that is refused leaves no descriptor', async () => {
    using temp = tempDirectory();
    const refusedArchive = gzipSync(tar({ name: 'fine', content: 'x'.repeat(100) }, { name: '../escape' }));
    const blob = join(temp.path, 'blob');
    writeFileSync(blob, refusedArchive);
    const refused = async (n: number) => {
      await expect(add(temp.path, refusedArchive)).rejects.toMatchObject({ reason: 'LAYER_ESCAPE' });
      await expect(add(temp.path, refusedArchive.subarray(0, -9))).rejects.toMatchObject({ code: 'invalid_argument' });
      const directory = join(temp.path, `upper-${n}`);
      mkdirSync(directory);
      const layer = applyLayer(pools.bulk, { blob, directory, signal, owner: HOUSE });
      await expect(layer).rejects.toMatchObject({ reason: 'LAYER_ESCAPE' });
      const damaged = convertLayer(pools.bulk, {
        blob,
        digest: sha256(refusedArchive) as Digest,
        into: '/dev/full',
        compression: gzip,
        signal,
        owner: HOUSE,
      });
      await expect(damaged).rejects.toMatchObject({ code: 'ENOSPC' });
    };
    for (let n = 0; n < 5; n++) await refused(n);
    const before = readdirSync('/proc/self/fd').length;
    for (let n = 5; n < 20; n++) await refused(n);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });

  test('an entry for the root changes nothing of it', async () => {
    using temp = tempDirectory();
    for (const name of ['.', './', '/', 'a/..']) {
      const archive = tar({ name, type: 'directory', mode: 0o700, uid: 12, gid: 34 }, { name: './f', content: 'x' });
      for (const whiteouts of [true, false]) {
        const [blob, directory] = [join(temp.path, 'blob'), join(temp.path, `${Math.random()}`)];
        writeFileSync(blob, archive);
        mkdirSync(directory, { mode: 0o755 });
        if (whiteouts) await applyLayer(pools.bulk, { blob, directory, signal, owner: HOUSE });
        else
          await extractArchive(pools.bulk, {
            archive: blob,
            target: into(directory),
            tempDirectory: temp.path,
            signal,
            owner: HOUSE,
          });
        const { mode, uid, gid } = lstat(directory);
        expect([mode & 0o7777, uid, gid]).toEqual([0o755, 0, 0]);
        expect(readFileSync(join(directory, 'f'), 'utf8')).toBe('x');
      }
    }
  });

  test.each(['gz', 'xz', 'bz2', 'plain'])('%s, with whiteout names kept as files and owners replaced', async (kind) => {
    using temp = tempDirectory();
    const [tree, out] = [join(temp.path, 'tree'), join(temp.path, 'out')];
    mkdirSync(tree);
    mkdirSync(out);
    writeFileSync(join(tree, '.wh.kept'), 'not a deletion');
    const archive = join(temp.path, 'a');
    const flag = { gz: '-z', xz: '-J', bz2: '-j', plain: '--format=gnu' }[kind] as string;
    execFileSync('tar', [flag, '-cf', archive, '-C', tree, '.wh.kept']);
    const owner = { uid: 12, gid: 34 };
    expect(
      await extractArchive(pools.bulk, {
        archive,
        target: into(out, owner),
        tempDirectory: temp.path,
        signal,
        owner: HOUSE,
      }),
    ).toBe(true);
    expect(describeTree(out)).toMatchObject({ '.wh.kept': { type: 'file', owner: '12:34' } });
  });

  test('what is no archive is left alone, and no place is asked for', async () => {
    using temp = tempDirectory();
    const archive = join(temp.path, 'f');
    const target = () => Promise.reject(new Error('asked'));
    const text = Buffer.from('text\n'.repeat(300));
    const packed = ['gzip', 'zstd', 'xz', 'bzip2'].map((program) => execFileSync(program, ['-c'], { input: text }));
    for (const content of [text, Buffer.alloc(0), Buffer.alloc(2048), ...packed]) {
      writeFileSync(archive, content);
      expect(
        await extractArchive(pools.bulk, { archive, target, tempDirectory: temp.path, signal, owner: HOUSE }),
      ).toBe(false);
    }
  });
});

describe('hostile archives, as a layer and as what ADD unpacks', () => {
  const file = (name: string, content = 'x') => ({ name, content });
  const directory = (name: string) => ({ name, type: 'directory' as const, mode: 0o755 });
  const symlink = (name: string, linkname: string) => ({ name, type: 'symlink' as const, linkname });
  const hardlink = (name: string, linkname: string) => ({ name, type: 'hardlink' as const, linkname });
  /** The first header with other bytes in it. */
  const patched = (at: number, bytes: string) => {
    const archive = tar(file('f', 'content'));
    archive.write(bytes, at, 'latin1');
    archive.fill(0x20, 148, 156);
    const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return archive;
  };
  /** `out` is the directory beside the root, with the file `kept`, that must not be touched. */
  const cases: readonly (readonly [string, (out: string) => Buffer, readonly string[] | string])[] = [
    ['a name above the root', () => tar(file('../out/pwned')), 'LAYER_ESCAPE'],
    ['a name above the root, from inside', () => tar(file('a/../../out/pwned')), 'LAYER_ESCAPE'],
    ['a directory above the root', () => tar(directory('../out/pwned')), 'LAYER_ESCAPE'],
    ['an absolute name', (out) => tar(file(`${out}/pwned`)), ['tmp']],
    ['a parent that is an absolute symlink', (out) => tar(symlink('l', out), file('l/pwned')), ['l', 'tmp']],
    [
      'a parent that is a relative symlink',
      () => tar(symlink('l', '../out'), file('l/pwned')),
      ['l', 'out', 'out/pwned'],
    ],
    [
      'a parent behind two symlinks',
      () => tar(symlink('a', '..'), symlink('b', 'a/out'), file('b/pwned')),
      ['a', 'b', 'out', 'out/pwned'],
    ],
    [
      'a directory replaced by a symlink between two files',
      (out) => tar(directory('d'), file('d/fine'), symlink('d', out), file('d/pwned')),
      ['d', 'tmp'],
    ],
    ['a file through a symlink of its own name', (out) => tar(symlink('f', `${out}/kept`), file('f')), ['f']],
    ['a directory over a symlink', (out) => tar(symlink('d', out), directory('d'), file('d/f')), ['d', 'd/f']],
    ['a hard link above the root', () => tar(hardlink('h', '../out/kept')), 'LAYER_ESCAPE'],
    ['a hard link to an absolute path', (out) => tar(hardlink('h', `${out}/kept`)), 'LAYER_HARDLINK'],
    ['a hard link through a symlink', (out) => tar(symlink('l', out), hardlink('h', 'l/kept')), 'LAYER_HARDLINK'],
    [
      'a hard link to a symlink, written through',
      (out) => tar(symlink('l', `${out}/kept`), hardlink('h', 'l'), file('h')),
      ['h', 'l'],
    ],
    ['a hard link to a directory', () => tar(directory('d'), hardlink('h', 'd')), 'LAYER_HARDLINK'],
    ['a hard link to itself', () => tar(file('f'), hardlink('f', 'f')), ['f']],
    ['a symlink loop as a parent', () => tar(symlink('a', 'b'), symlink('b', 'a'), file('a/f')), 'LAYER_SYMLINK_LOOP'],
    ['a file as a parent', () => tar(file('f'), file('f/g')), 'LAYER_NOT_A_DIRECTORY'],
    ['members of one name', () => tar(file('f', '1'), directory('f'), file('f/g'), file('f', '2')), ['f']],
    ['a device', () => tar({ name: 'sda', type: 'block', mode: 0o666, devmajor: 8, devminor: 0 }), ['sda']],
    ['a name with a NUL', () => patched(0, 'f\0../out/pwned'), ['f']],
    ['a negative size', () => patched(124, '-0000000001'), 'TAR_MALFORMED'],
    ['a negative size in base 256', () => patched(124, '\xff'.repeat(12)), 'TAR_MALFORMED'],
    ['an enormous size', () => patched(124, `\x80${'\x7f'.repeat(11)}`), 'TAR_MALFORMED'],
    ['a size beyond the archive', () => patched(124, '00000077777'), 'TAR_MALFORMED'],
    ['an owner out of range', () => patched(108, '\xff'.repeat(8)), 'TAR_MALFORMED'],
    ['a huge extended header', () => patched(124, `07777777777\0${' '.repeat(20)}x`), 'TAR_LIMIT'],
    ['a huge long name', () => patched(124, `07777777777\0${' '.repeat(20)}L`), 'TAR_LIMIT'],
    ['a fifo', () => tar({ name: 'p', type: 'fifo', mode: 0o666 }), ['p']],
    ['bits of set-id', () => tar({ name: 's', content: 'x', mode: 0o6777 }), ['s']],
    [
      'names of newlines and control bytes',
      () => tar(file('a\nb'), file('\u001b[2J'), file(' '), file('-rf')),
      ['\u001b[2J', ' ', '-rf', 'a\nb'],
    ],
    [
      'a parent that is a symlink to /proc/self/root',
      () => tar(symlink('p', '/proc/self/root'), file('p/pwned')),
      ['p', 'proc', 'proc/self', 'proc/self/root', 'proc/self/root/pwned'],
    ],
    ['a parent that is a symlink to /dev', () => tar(symlink('d', '/dev'), file('d/null')), ['d', 'dev', 'dev/null']],
    ['a parent that is a symlink to /sys', () => tar(symlink('d', '/sys'), file('d/f')), ['d', 'sys', 'sys/f']],
    [
      'a device, then a file of its name',
      () => tar({ name: 'f', type: 'block', mode: 0o666, devmajor: 8, devminor: 0 }, file('f')),
      ['f'],
    ],
    ['a fifo, then a file of its name', () => tar({ name: 'f', type: 'fifo', mode: 0o666 }, file('f')), ['f']],
    ['a component longer than a name may be', () => tar(file('n'.repeat(256))), 'LAYER_NAME_TOO_LONG'],
    ['a name longer than any path', () => tar(file('n/'.repeat(3000))), 'TAR_LIMIT'],
  ];

  test.each(cases)('%s', async (_, archive, expected) => {
    for (const kind of ['layer', 'ADD']) {
      using temp = tempDirectory();
      const out = join(temp.path, 'out');
      const root = join(temp.path, 'root');
      for (const path of [out, root]) mkdirSync(path);
      writeFileSync(join(out, 'kept'), 'kept');
      const before = describeTree(out);
      const blob = join(temp.path, 'blob');
      writeFileSync(blob, archive(out));
      const work =
        kind === 'layer'
          ? applyLayer(pools.bulk, { blob, directory: root, signal, owner: HOUSE })
          : extractArchive(pools.bulk, {
              archive: blob,
              target: into(root),
              tempDirectory: temp.path,
              signal,
              owner: HOUSE,
            });
      if (typeof expected === 'string')
        await expect(work).rejects.toMatchObject({ code: 'invalid_argument', reason: expected });
      else {
        await work;
        const names = Object.keys(describeTree(root)).filter((name) => !name.startsWith('tmp/'));
        expect(names.sort()).toEqual(expected);
      }
      expect(describeTree(out)).toEqual(before);
      expect(readdirSync(temp.path).sort()).toEqual(['blob', 'out', 'root']);
    }
  });
});

describe('an image around a tar', () => {
  /** What is seen of a layer as an image and as a directory; undefined where it needs a directory. */
  async function bothOf(temp: string, blob: Buffer): Promise<{ image: unknown; directory: unknown } | undefined> {
    const at = (name: string) => join(temp, name);
    rmSync(temp, { recursive: true });
    for (const name of ['', 'directory', 'mounted']) mkdirSync(at(name));
    writeFileSync(at('blob'), blob);
    const common = { blob: at('blob'), signal, owner: HOUSE };
    const fits = await indexLayer(pools.bulk, { ...common, directory: at('mounted'), image: at('image') });
    expect(existsSync(at('image'))).toBe(fits);
    if (!fits) return undefined;
    await applyLayer(pools.bulk, { ...common, directory: at('directory') });
    mount({ type: 'erofs', source: at('image'), options: ['ro'] }, at('mounted'));
    try {
      return { image: describeTree(at('mounted')), directory: describeTree(at('directory')) };
    } finally {
      unmount(at('mounted'));
    }
  }

  test('shows what a directory does, in every respect', async () => {
    using temp = tempDirectory();
    const source = join(temp.path, 'source');
    mkdirSync(source);
    fillTree(source);
    // More names than one block has room for, some to the byte.
    mkdirSync(join(source, 'many'));
    for (let n = 0; n < 500; n++) writeFileSync(join(source, 'many', `${'n'.repeat(n % 250)}-${n}`), `${n}`);
    const packed = join(temp.path, 'packed');
    await packLayer(pools.bulk, { directory: source, into: packed, compression: gzip, signal, owner: HOUSE });
    const seen = await bothOf(join(source, 'bin'), readFileSync(packed));
    expect(Object.keys(seen?.directory as object).length).toBeGreaterThan(500);
    expect(seen?.image).toEqual(seen?.directory);
  });

  test.each<[string, Buffer]>([
    ['missing parents', tar({ name: 'a/b/c', content: 'x' })],
    ['an entry twice', tar({ name: 'f', content: 'first' }, { name: './f', content: 'second' })],
    [
      'a directory that is said again',
      tar(
        { name: 'd', type: 'directory', mode: 0o700 },
        { name: 'd/f' },
        { name: 'd/', type: 'directory', mode: 0o750, mtime: 5n },
      ),
    ],
    [
      'a directory in place of a file, and the reverse',
      tar({ name: 'a' }, { name: 'a/', type: 'directory' }, { name: 'b/c' }, { name: 'b' }),
    ],
    [
      'a link to a name that then goes',
      tar(
        { name: 'a', content: 'kept' },
        { name: 'b', type: 'hardlink', linkname: 'a' },
        { name: 'a', content: 'new' },
      ),
    ],
    ['a link to itself', tar({ name: 'a', content: 'kept' }, { name: 'a', type: 'hardlink', linkname: './a' })],
    ['times that no file has', tar({ name: 'old', mtime: -5n }, { name: 'late', mtime: 1n << 64n })],
    [
      'entries below a directory that was replaced',
      tar({ name: 'd/x/f' }, { name: 'd' }, { name: 'd', type: 'directory' }, { name: 'd/x/g' }),
    ],
  ])('%s', async (_, blob) => {
    using temp = tempDirectory();
    const seen = await bothOf(temp.path, blob);
    const timeless = (tree: unknown) => withoutDirectoryTimes(tree as Record<string, unknown>);
    expect(timeless(seen?.image)).toEqual(timeless(seen?.directory));
    expect(seen).toBeDefined();
  });

  test.each<[string, Buffer]>([
    ['a deletion', tar({ name: '.wh.gone' })],
    ['a device that is a whiteout', tar({ name: 'gone', type: 'char', devmajor: 0, devminor: 0 })],
    [
      'what leads through a link',
      tar({ name: 'l', type: 'symlink', linkname: 'd' }, { name: 'd', type: 'directory' }, { name: 'l/f' }),
    ],
    ['an attribute of another kind', tar({ name: 'f', xattrs: new Map([['system.other', Buffer.from('x')]]) })],
    ['a link that leads nowhere', tar({ name: 'f', type: 'hardlink', linkname: 'nothing' })],
    [
      'more names than are kept in memory',
      tar(
        ...Array.from({ length: 17_000 }, (_, n) => ({
          name: `l${n}`,
          type: 'symlink' as const,
          linkname: 'x'.repeat(4000),
        })),
      ),
    ],
  ])('%s needs a directory', async (_, blob) => {
    using temp = tempDirectory();
    expect(await bothOf(temp.path, blob)).toBeUndefined();
  });

  test('what escapes, is cut off or has another digest fails, and leaves no file', async () => {
    using temp = tempDirectory();
    const whole = tar({ name: 'f', content: 'x'.repeat(2000) });
    await expect(bothOf(temp.path, tar({ name: '../f' }))).rejects.toMatchObject({ reason: 'LAYER_ESCAPE' });
    await expect(bothOf(temp.path, whole.subarray(0, 1500))).rejects.toMatchObject({ reason: 'TAR_MALFORMED' });
    const args = { blob: join(temp.path, 'blob'), directory: temp.path, image: join(temp.path, 'image') };
    writeFileSync(args.blob, whole);
    const digest: Digest = `sha256:${'0'.repeat(64)}`;
    for (const wrong of [{ digest }, { diffId: digest }])
      await expect(indexLayer(pools.bulk, { ...args, ...wrong, signal, owner: HOUSE })).rejects.toMatchObject({
        reason: 'OCI_DIGEST_MISMATCH',
      });
    expect(existsSync(args.image)).toBe(false);
  });
});
