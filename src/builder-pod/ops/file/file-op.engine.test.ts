import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CodedError, cancelledError, digestOf, HOUSE, neverAborted } from '../../../base/index.ts';
import { ContentHasher } from '../../../cache/contenthash/index.ts';
import type { ImmutableRef } from '../../../cache/ports.ts';
import { refResult } from '../../../cache/refs/index.ts';
import { makeRef } from '../../../cache/testing/make-ref.ts';
import { openTestState } from '../../../cache/testing/open-state.ts';
import { FileActions, type FileOp, image, loadDefinition, type State, scratch } from '../../../llb/index.ts';
import type { OpContext } from '../../../solver/ports.ts';
import { mountsBelow, setXattr } from '../../../sys/index.ts';
import { fileCacheMap } from '../cache-map/index.ts';
import { CONTEXT, onContext, SCAN_SCENARIOS } from '../cache-map/testing/scenarios.ts';
import { fileOp } from './index.ts';

interface CacheRecord {
  readonly digest: string;
  readonly inputs?: readonly (readonly { readonly link: number }[])[];
}
const records = (
  JSON.parse(readFileSync(new URL('../cache-map/testdata/records.json', import.meta.url), 'utf8')) as {
    scenarios: Record<string, { records: CacheRecord[] }>;
  }
).scenarios;

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const files = new FileActions();
let state: Awaited<ReturnType<typeof openTestState>>;
let hasher: ContentHasher;
let context: ImmutableRef;
const warnings: string[] = [];

beforeAll(async () => {
  state = await openTestState();
  hasher = new ContentHasher({ pool: state.pools.bulk });
  context = await makeRef(state, undefined, (root) => {
    for (const [name, content] of Object.entries(CONTEXT)) {
      const [path, mode = '0644'] = name.split('#') as [string, string?];
      const full = join(root, path);
      mkdirSync(path.endsWith('/') ? full : dirname(full), { recursive: true });
      if (path.endsWith('/')) chmodSync(full, 0o755);
      else if (content.startsWith('->')) symlinkSync(content.slice(2), full);
      else {
        writeFileSync(full, content);
        chmodSync(full, Number.parseInt(mode, 8));
      }
    }
  });
});
afterAll(async () => {
  await context?.release();
  const { root } = { root: join(state.layout.mounts, '..') };
  expect(mountsBelow(root)).toEqual([]);
  await state?.[Symbol.asyncDispose]();
});

function opContext(signal: AbortSignal = neverAborted): OpContext {
  const progress = { status() {}, log() {}, warn: (warning: { short: string }) => void warnings.push(warning.short) };
  return { signal, owner: HOUSE, sessions: () => [], limits: () => ({}), scope: '', progress };
}

function opOf(graph: State): { file: FileOp; inputs: number } {
  const { vertex } = loadDefinition(graph.marshal())!.root;
  if (vertex.op.op.body.kind !== 'file') throw new Error('not a file op');
  return { file: vertex.op.op.body.file, inputs: vertex.inputs.length };
}

async function run(graph: State, inputs: readonly ImmutableRef[], signal?: AbortSignal): Promise<ImmutableRef> {
  const { file, inputs: count } = opOf(graph);
  const op = fileOp(file, count, {
    refs: state.refs,
    hasher,
    pool: state.pools.bulk,
    resultOf: refResult,
    tempDirectory: state.layout.mounts,
    name: 'test',
  });
  const results = await op.exec(inputs.map(refResult), opContext(signal));
  return results[0]!.value;
}

async function look<T>(ref: ImmutableRef, at: (root: string) => T): Promise<T> {
  await using view = await ref.mount(options);
  return at(view.root);
}

test.each(
  Object.entries(SCAN_SCENARIOS),
)('%s: content digests of a snapshot are those of buildkitd', async (name, graph) => {
  const snapshot = await run(onContext, [context]);
  const { file, inputs } = opOf(graph);
  const map = fileCacheMap(file, inputs);
  const digest = await hasher.checksum(snapshot, map.inputs[0]!.content!, options);
  const known = records[name]!.records;
  const record = known.find((each) => each.digest === digestOf(`${map.digest}@0`));
  expect(record?.inputs?.[0]?.map(({ link }) => known[link]?.digest)).toContain(digestOf(`${digest}@-1`));
  // Asked again, by a hasher that knows nothing, of what was stored with the ref.
  const again = new ContentHasher({ pool: state.pools.short });
  expect(await again.checksum(snapshot, map.inputs[0]!.content!, options)).toBe(digest);
  await snapshot.release();
});

test('a path that is not there: the error of BuildKit', async () => {
  await expect(hasher.checksum(context, [{ path: '/nosuch' }], options)).rejects.toMatchObject({
    code: 'not_found',
    message: `failed to calculate checksum of ref ${context.id}: "/nosuch": not found`,
  });
  await expect(hasher.checksum(undefined, [{ path: '/x' }], options)).rejects.toThrow('no such file or directory');
});

test('several actions are one snapshot; owners, xattrs, hardlinks and deletions arrive', async () => {
  const source = await makeRef(state, undefined, (root) => {
    mkdirSync(join(root, 'd'));
    writeFileSync(join(root, 'd/a'), 'same');
    linkSync(join(root, 'd/a'), join(root, 'd/b'));
    chownSync(join(root, 'd/a'), 7, 8);
    setXattr(join(root, 'd/a'), 'user.note', Buffer.from('kept'));
    chmodSync(join(root, 'd/a'), 0o6755);
    execFileSync('mknod', [join(root, 'd/null'), 'c', '1', '3']);
  });
  const base = await makeRef(state, undefined, (root) => {
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), 'app:x:1000:1001::/:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'staff:x:50:\n');
    writeFileSync(join(root, 'gone'), '');
  });
  const [baseState, sourceState] = [image('base'), image('source')];
  const result = await run(
    baseState.file(
      files
        .copy(sourceState, '/d', '/d')
        .copy(sourceState, '/d/a', '/owned', { owner: 'app:staff' })
        .mkdir('/new', 0o711, { owner: 'app' })
        .rm('/gone'),
    ),
    [base, source],
  );
  await look(result, (root) => {
    expect(lstatSync(join(root, 'd/a'))).toMatchObject({ uid: 7, gid: 8, mode: 0o106755, nlink: 2 });
    expect(lstatSync(join(root, 'd/null')).rdev).toBe(0x103);
    expect(execFileSync('getfattr', ['-n', 'user.note', '--only-values', 'd/b'], { cwd: root }).toString()).toBe(
      'kept',
    );
    expect(lstatSync(join(root, 'owned'))).toMatchObject({ uid: 1000, gid: 50 });
    expect(lstatSync(join(root, 'new'))).toMatchObject({ uid: 1000, gid: 1001 });
    expect(existsSync(join(root, 'gone'))).toBe(false);
  });
  expect(await look(base, (root) => existsSync(join(root, 'gone')))).toBe(true);
  for (const ref of [result, base, source]) await ref.release();
});

describe('hostile trees, copied from a context or a stage', () => {
  /** `out` lies outside of every root and has the file `kept`, which must neither change nor be read. */
  const out = join(tmpdir(), `slipway-out-${process.pid}`);
  beforeAll(() => {
    mkdirSync(out);
    writeFileSync(join(out, 'kept'), 'kept');
  });
  afterAll(() => rmSync(out, { recursive: true, force: true }));
  const up = '../'.repeat(40);
  const link = (name: string, target: string) => (root: string) => symlinkSync(target, join(root, name));
  const directory = (name: string) => (root: string) => void mkdirSync(join(root, name), { recursive: true });
  const file = (name: string) => (root: string) => writeFileSync(join(root, name), 'x');
  const namesBelow = (root: string) =>
    execFileSync('find', [root, '-mindepth', '1', '-printf', '%P\\0']).toString().split('\0').slice(0, -1);
  type Fill = (root: string) => unknown;
  interface Case {
    readonly from?: readonly Fill[];
    readonly onto?: readonly Fill[];
    readonly copy: readonly [src: string, dest: string, options?: Parameters<FileActions['copy']>[3]];
    /** What is there afterwards of `onto`, or the code of the failure. */
    readonly gives: readonly string[] | string;
  }
  const mkdirs = { createDestPath: true };
  const cases: Readonly<Record<string, Case>> = {
    'a source above the root': { from: [file('f')], copy: [`/${up}${out}/kept`, '/x'], gives: 'not_found' },
    'a source that is a link out': { from: [link('l', out)], copy: ['/l', '/x'], gives: ['x'] },
    'a source that is a link out, followed': {
      from: [link('l', `${out}/kept`)],
      copy: ['/l', '/x', { followSymlink: true }],
      gives: 'not_found',
    },
    'a source behind a link out': { from: [link('l', out)], copy: ['/l/kept', '/x'], gives: 'not_found' },
    'a source behind a chain of links out': {
      from: [link('a', 'b'), link('b', up), directory('d'), link('d/c', '../a')],
      copy: [`/d/c${out}/kept`, '/x'],
      gives: 'not_found',
    },
    'a source that is a loop': {
      from: [link('a', 'b'), link('b', 'a')],
      copy: ['/a/f', '/x'],
      gives: 'failed_precondition',
    },
    'a wildcard behind a link out': {
      from: [link('l', out)],
      copy: ['/l/k*', '/x/', { allowWildcard: true, allowEmptyWildcard: true, ...mkdirs }],
      gives: [],
    },
    'the contents of links to /proc, /sys and /dev': {
      from: [link('proc', '/proc'), link('sys', '/sys/kernel'), link('dev', '/dev')],
      copy: ['/', '/x', { dirCopyContents: true, ...mkdirs }],
      gives: ['x', 'x/dev', 'x/proc', 'x/sys'],
    },
    'a destination above the root': {
      from: [file('f')],
      copy: ['/f', `/${up}made`, mkdirs],
      gives: ['made'],
    },
    'a destination that is a link out': {
      from: [file('f')],
      onto: [link('l', `${out}/kept`)],
      copy: ['/f', '/l'],
      gives: 'any',
    },
    'a destination behind a link out': {
      from: [file('f')],
      onto: [link('l', out)],
      copy: ['/f', '/l/made', mkdirs],
      gives: 'any',
    },
    'a destination behind a relative link out': {
      from: [file('f')],
      onto: [directory('a/b'), link('a/b/l', up + out.slice(1))],
      copy: ['/f', '/a/b/l/made', mkdirs],
      gives: 'any',
    },
    'a destination behind /proc/self/root': {
      from: [file('f')],
      onto: [link('l', `/proc/self/root${out}`)],
      copy: ['/f', '/l/made', mkdirs],
      gives: 'any',
    },
    'a directory over a link out': {
      from: [directory('d'), file('d/kept')],
      onto: [link('d', out)],
      copy: ['/', '/', { dirCopyContents: true }],
      gives: 'any',
    },
    'a link over a directory, then files below it': {
      from: [link('d', out)],
      onto: [directory('d'), file('d/f')],
      copy: ['/', '/', { dirCopyContents: true }],
      gives: 'any',
    },
    'an archive behind a link out': {
      from: [
        directory('in'),
        file('in/made'),
        (root) => execFileSync('tar', ['-C', join(root, 'in'), '-cf', join(root, 'a.tar'), '.']),
      ],
      onto: [link('l', out)],
      copy: ['/a.tar', '/l/', { attemptUnpack: true, ...mkdirs }],
      gives: 'any',
    },
    'names of whiteouts': {
      from: [file('.wh.gone'), file('.wh..wh..opq'), file('.wh.')],
      onto: [file('gone')],
      copy: ['/', '/', { dirCopyContents: true }],
      gives: ['.wh.', '.wh..wh..opq', '.wh.gone', 'gone'],
    },
    'names of newlines and control bytes': {
      from: [file('a\nb'), file('\u001b[2J'), file(' '), file('-rf'), file('*')],
      copy: ['/', '/', { dirCopyContents: true }],
      gives: ['\u001b[2J', ' ', '*', '-rf', 'a\nb'],
    },
    'names as long as they may be, deeper than a path may be': {
      from: [
        (root) =>
          execFileSync('sh', ['-c', 'n=$(printf %0255d 1); for i in $(seq 30); do mkdir $n; cd $n; done; echo x > f'], {
            cwd: root,
          }),
      ],
      copy: ['/', '/', { dirCopyContents: true }],
      gives: 'any',
    },
    'devices, fifos and bits of set-id': {
      from: [
        (root) => execFileSync('mknod', [join(root, 'sda'), 'b', '8', '0']),
        (root) => execFileSync('mkfifo', [join(root, 'fifo')]),
        (root) => execFileSync('install', ['-m', '6777', '/dev/null', join(root, 'suid')]),
      ],
      copy: ['/', '/', { dirCopyContents: true }],
      gives: ['fifo', 'sda', 'suid'],
    },
    'a fifo by its name': {
      from: [(root) => execFileSync('mkfifo', [join(root, 'fifo')])],
      copy: ['/fifo', '/x'],
      gives: 'any',
    },
  };

  test.each(Object.keys(cases))('%s', async (name) => {
    const { from = [], onto = [], copy, gives } = cases[name]!;
    const [source, base] = await Promise.all(
      [from, onto].map((fills) =>
        makeRef(state, undefined, (root) => {
          for (const fill of fills) fill(root);
        }),
      ),
    );
    const before = state.snapshotter.list().length;
    const graph = image('base').file(files.copy(image('source'), ...copy));
    const outcome = await run(graph, [base!, source!]).catch((error: unknown) => error);
    try {
      if (outcome instanceof Error) {
        expect(outcome).toBeInstanceOf(CodedError);
        expect(outcome).toMatchObject({ fault: 'user' });
        if (gives !== 'any') expect(outcome).toMatchObject({ code: gives });
        await expect.poll(() => state.snapshotter.list().length).toBe(before);
      } else {
        const result = outcome as ImmutableRef;
        if (gives !== 'any') expect((await look(result, namesBelow)).sort()).toEqual(gives);
        await result.layers(options);
        await result.release();
      }
    } finally {
      for (const ref of [source!, base!]) await ref.release();
    }
    expect(readdirSync(out)).toEqual(['kept']);
    expect(readFileSync(join(out, 'kept'), 'utf8')).toBe('kept');
    expect(existsSync('/made')).toBe(false);
    expect(mountsBelow(join(state.layout.mounts, '..'))).toEqual([]);
  });
});

test('a copy of many files, which two threads make, is like its source', async () => {
  const source = await makeRef(state, undefined, (root) => {
    for (let dir = 0; dir < 40; dir++) {
      const at = join(root, `tree/d${dir % 7}/${dir}`);
      mkdirSync(at, { recursive: true });
      for (let file = 0; file < 100; file++) writeFileSync(join(at, `f${file}`), `${dir} ${file}`, { mode: 0o640 });
      symlinkSync('f1', join(at, 'link'));
      // Names far from one another, so that they are for different threads.
      linkSync(join(root, 'tree/d0/0/f50'), join(at, 'one-of-many'));
      utimesSync(at, dir, dir);
    }
    utimesSync(join(root, 'tree/d3'), 33, 33);
  });
  const base = await makeRef(state, undefined, (root) => {
    mkdirSync(join(root, 'tree/d5'), { recursive: true });
    writeFileSync(join(root, 'tree/d5/12'), 'a file where a directory comes');
    mkdirSync(join(root, 'tree/d6/13/f7'), { recursive: true });
    writeFileSync(join(root, 'tree/kept'), '');
  });
  const helped = vi.spyOn(state.pools.bulk, 'run');
  const options = { dirCopyContents: true, alwaysReplaceExistingDestPaths: true };
  const result = await run(image('base').file(files.copy(image('source'), '/tree', '/tree', options)), [base, source]);
  expect(helped.mock.calls.map(([task]) => task.fn)).toContain('helpCopying');
  helped.mockRestore();
  const all = (root: string) =>
    execFileSync(
      'find',
      [
        'tree',
        '-mindepth',
        '1',
        '-printf',
        '%P %y %m %l %T@',
        '(',
        '-type',
        'f',
        '-printf',
        ' %n %s\n',
        '-o',
        '-printf',
        '\n',
        ')',
      ],
      { cwd: root },
    )
      .toString()
      .split('\n')
      .sort();
  const expected = await look(source, all);
  const found = await look(result, all);
  expect(found.filter((line) => !line.startsWith('kept '))).toEqual(expected);
  expect(found).toHaveLength(expected.length + 1);
  await look(result, (root) =>
    expect(readFileSync(join(root, 'tree/d6/27/f99'), 'utf8') + readFileSync(join(root, 'tree/d5/12/f0'), 'utf8')).toBe(
      '27 9912 0',
    ),
  );
  for (const ref of [result, base, source]) await ref.release();
});

test('scratch is a source without files', async () => {
  const all = await run(
    scratch().file(new FileActions().copy(scratch(), '/', '/').mkfile('/a', 0o644, Buffer.from('a'))),
    [],
  );
  expect(await look(all, (root) => readdirSync(root))).toEqual(['a']);
  expect(await all.layers(options)).toHaveLength(1);
  await expect(run(scratch().file(new FileActions().copy(scratch(), '/a', '/b')), [])).rejects.toMatchObject({
    code: 'not_found',
  });
  await all.release();
});

test('an archive is unpacked when asked for, other files are copied', async () => {
  const source = await makeRef(state, undefined, (root) => {
    mkdirSync(join(root, 'in'));
    writeFileSync(join(root, 'in/f'), 'packed');
    execFileSync('tar', ['-C', join(root, 'in'), '-czf', join(root, 'a.tgz'), '.']);
    execFileSync('tar', ['-C', join(root, 'in'), '-cJf', join(root, 'a.txz'), '.']);
    writeFileSync(join(root, 'plain'), 'not an archive');
  });
  const add = { attemptUnpack: true, createDestPath: true };
  const graph = scratch().file(
    files
      .copy(image('source'), '/a.tgz', '/gz', add)
      .copy(image('source'), '/a.txz', '/xz', { ...add, owner: { uid: 5, gid: 6 } })
      .copy(image('source'), '/plain', '/dir/', add),
  );
  const result = await run(graph, [source]);
  await look(result, (root) => {
    expect(readFileSync(join(root, 'gz/f'), 'utf8')).toBe('packed');
    expect(lstatSync(join(root, 'xz/f'))).toMatchObject({ uid: 5, gid: 6 });
    expect(readdirSync(join(root, 'dir'))).toEqual(['plain']);
  });
  for (const ref of [result, source]) await ref.release();
});

test('a name that is nobody is root, and said', async () => {
  const result = await run(image('base').file(files.mkdir('/x', 0o755, { owner: 'nobody-here' })), [context]);
  expect(await look(result, (root) => lstatSync(join(root, 'x')).uid)).toBe(0);
  expect(warnings).toContain('user nobody-here is not in /etc/passwd: root is taken');
  await result.release();
});

test('a failed or cancelled op leaves no ref and no mount behind', async () => {
  const before = state.snapshotter.list().length;
  const failing = image('base').file(files.mkdir('/ok', 0o755).rm('/nosuch'));
  await expect(run(failing, [context])).rejects.toThrow('stat /nosuch: no such file or directory');
  const controller = new AbortController();
  controller.abort(cancelledError());
  await expect(run(failing, [context], controller.signal)).rejects.toBeInstanceOf(CodedError);
  expect(mountsBelow(join(state.layout.mounts, '..'))).toEqual([]);
  await expect.poll(() => state.snapshotter.list().length).toBe(before);
});
