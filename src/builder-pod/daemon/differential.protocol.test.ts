import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { openBuilderClient } from '../../builder-api/client/index.ts';
import { TarReader } from '../../oci/tar/index.ts';
import { BASE, FAILURES, LINTED, STAGES } from './testing/differential-cases.ts';
import { OURS, type Output, REAL, TestDaemon } from './testing/test-daemon.ts';

/** The same small Dockerfiles through the real daemon and through ours: what users get must be the same. */
const OLD = 1_500_000_000;

const temp = mkdtempSync(join(tmpdir(), 'slipway-both-'));
const context = join(temp, 'context');

class Daemon extends TestDaemon {
  build(file: string, ...args: readonly string[]): Promise<Output> {
    return this.buildctl(
      ...['build', '--progress=plain', '--frontend=dockerfile.v0', '--opt', `filename=${file}`],
      ...['--local', `context=${context}`, '--local', `dockerfile=${temp}`, ...args],
    );
  }

  buildctl(...args: readonly string[]): Promise<Output> {
    return this.run(args);
  }

  async image(target: string): Promise<Image> {
    const dest = join(temp, `${this.name}-${target}`);
    const { code, text } = await this.build(
      'Dockerfile',
      ...['--opt', `target=${target}`, '--opt', 'build-arg:NOTHING=1', '--output', `type=oci,tar=false,dest=${dest}`],
    );
    if (code !== 0) throw new Error(`${this.name} does not build ${target}:\n${text}`);
    return readImage(dest);
  }
}

interface Image {
  readonly config: Readonly<Record<string, unknown>>;
  readonly layers: readonly (readonly string[])[];
  /** Of the compressed layers, in bytes. */
  readonly sizes: readonly number[];
}

function diffIdsOf(layout: string): readonly string[] {
  const parse = (path: string) => JSON.parse(readFileSync(join(layout, path)).toString());
  const manifest = parse(`blobs/${parse('index.json').manifests[0].digest.replace(':', '/')}`) as ManifestJson;
  return parse(`blobs/${manifest.config.digest.replace(':', '/')}`).rootfs.diff_ids as string[];
}

interface ManifestJson {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly size: number; readonly mediaType: string }[] | null;
}

/** Without what differs from build to build: digests, and times of what was made now. */
function readImage(layout: string): Image {
  const blob = (digest: string) => readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
  const parse = (bytes: Buffer) => JSON.parse(bytes.toString()) as Record<string, unknown>;
  const { manifests } = parse(readFileSync(join(layout, 'index.json'))) as unknown as {
    manifests: { digest: string }[];
  };
  const manifest = parse(blob(manifests[0]!.digest)) as unknown as ManifestJson;
  const { created: _, rootfs, history, ...config } = parse(blob(manifest.config.digest));
  return {
    config: {
      ...config,
      layers: (rootfs as { diff_ids: unknown[] }).diff_ids.length,
      history: (history as Record<string, unknown>[]).map(({ created: __, ...entry }) => entry),
    },
    layers: (manifest.layers ?? []).map(({ digest }) => entriesOf(gunzipSync(blob(digest)))),
    sizes: (manifest.layers ?? []).map(({ size }) => size),
  };
}

function entriesOf(tar: Buffer): string[] {
  const lines: string[] = [];
  const contents: Buffer[][] = [];
  const reader = new TarReader({
    entry: ({ type, name, mode, uid, gid, linkname = '', mtime, xattrs = new Map() }) => {
      const seconds = Number(mtime / 1_000_000_000n);
      // Times of directories that COPY makes differ on purpose (docs/buildkit-differences.md).
      const time = type === 'directory' || seconds > OLD + 1000 ? '' : String(seconds);
      lines.push([name, type, mode.toString(8), `${uid}:${gid}`, linkname, time, [...xattrs.keys()].join()].join(' '));
      contents.push([]);
    },
    data: (chunk) => void contents.at(-1)!.push(Buffer.from(chunk)),
  });
  reader.push(tar);
  reader.close();
  return lines.map((line, i) => {
    const content = Buffer.concat(contents[i]!);
    return content.length === 0 ? line : `${line} ${createHash('sha256').update(content).digest('hex').slice(0, 8)}`;
  });
}

function makeContext(): void {
  const at = (name: string) => join(context, name);
  for (const name of ['d/sub/deep', 'links', 'empty']) mkdirSync(at(name), { recursive: true });
  copyFileSync('/bin/busybox', at('busybox'));
  writeFileSync(at('passwd'), 'root:x:0:0:root:/root:/bin/sh\nbob:x:7:8:bob:/home/bob:/bin/sh\n');
  writeFileSync(at('group'), 'root:x:0:\nbob:x:8:\nstaff:x:50:bob\n');
  for (const [name, text] of [
    ['f', 'file\n'],
    ['s.sh', '#!/bin/sh\n'],
    ['d/g', 'g\n'],
    ['d/sub/deep/h', 'h\n'],
  ] as const)
    writeFileSync(at(name), text);
  chmodSync(at('s.sh'), 0o755);
  chmodSync(at('d/g'), 0o604);
  chmodSync(at('d/sub'), 0o711);
  symlinkSync('../f', at('links/to-f'));
  symlinkSync('../d', at('links/to-d'));
  symlinkSync('/nosuch', at('links/dangling'));
  execFileSync('tar', ['-cf', at('a.tar'), '--owner=3', '--group=4', '-C', at('d'), 'g', 'sub']);
  for (const [how, name, time] of [
    ['-cf', 'f', '@-5'],
    ['-rf', 's.sh', '@9223372036'],
    ['-rf', 'd', '@9223372040'],
  ] as const)
    execFileSync('tar', [how, at('times.tar'), '--format=pax', `--mtime=${time}`, '-C', context, name]);
  execFileSync('tar', ['-czf', at('a.tgz'), '-C', at('d'), '.']);
  for (const name of [
    'f',
    's.sh',
    'd/g',
    'd/sub/deep/h',
    'd/sub/deep',
    'd/sub',
    'd',
    'links',
    'empty',
    'a.tar',
    'a.tgz',
    'times.tar',
    'busybox',
    'passwd',
    'group',
    '.',
  ])
    utimesSync(at(name), OLD, OLD);
}

let both: readonly [real: Daemon, ours: Daemon];

beforeAll(async () => {
  makeContext();
  const stages = Object.entries(STAGES).map(([name, text]) => `FROM base AS ${name}\n${text}\n`);
  writeFileSync(join(temp, 'Dockerfile'), BASE + stages.join(''));
  both = [new Daemon(temp, 'real', REAL), new Daemon(temp, 'ours', OURS)];
  await Promise.all(both.map((daemon) => daemon.ready()));
});

afterAll(async () => {
  await Promise.all(both.map((daemon) => daemon.stop()));
  rmSync(temp, { recursive: true, force: true });
});

describe('images', () => {
  test.each(Object.keys(STAGES))('of the stage %s', async (name) => {
    const [real, ours] = await Promise.all(both.map((daemon) => daemon.image(name)));
    expect(ours!.config).toEqual(real!.config);
    expect(ours!.layers).toEqual(real!.layers);
  });
});

test('layers of small files are no larger', async () => {
  const [real, ours] = await Promise.all(both.map((daemon) => daemon.image('small-files')));
  expect(ours!.layers).toEqual(real!.layers);
  // Those whose every time is set, so that equal tars were compressed.
  for (const [i, size] of real!.sizes.slice(-3).entries()) expect(ours!.sizes.at(i - 3)).toBeLessThanOrEqual(size);
});

test('a stage from a directory of the client is one layer of what is in it now', async () => {
  const directory = join(temp, 'named');
  mkdirSync(join(directory, 'd/gone'), { recursive: true });
  const write = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    for (const name of ['d/gone', 'd', '.']) if (existsSync(join(directory, name))) age(join(directory, name));
    for (const name of Object.keys(files)) age(join(directory, name));
  };
  const age = (path: string) => utimesSync(path, OLD, OLD);
  writeFileSync(join(temp, 'from-named'), 'FROM named\nCOPY f /d/copied\n');
  const layers = async (daemon: Daemon, round: number) => {
    const dest = join(temp, `${daemon.name}-named-${round}`);
    const { code, text } = await daemon.build(
      'from-named',
      ...['--local', `named=${directory}`, '--opt', 'context:named=local:named'],
      ...['--output', `type=oci,tar=false,dest=${dest}`],
    );
    if (code !== 0) throw new Error(text);
    return { image: readImage(dest), diffIds: diffIdsOf(dest) };
  };
  const rounds: (() => void)[] = [
    () => write({ a: '1', 'd/b': '2', 'd/gone/c': '3' }),
    () => {
      rmSync(join(directory, 'd/gone'), { recursive: true });
      write({ a: 'other' });
    },
    () => write({ 'd/b': 'other' }),
  ];
  for (const [round, change] of rounds.entries()) {
    change();
    const [real, ours] = await Promise.all(both.map((daemon) => layers(daemon, round)));
    expect(ours!.image).toMatchObject({ layers: real!.image.layers, config: real!.image.config });
    expect(ours!.image.layers).toHaveLength(2);
    expect(ours!.diffIds[0]).toBe(real!.diffIds[0]);
  }
});

/** What the user reads, without what names the moment. */
function failureOf({ code, text }: { readonly code: number; readonly text: string }): string {
  expect(code).not.toBe(0);
  const line = text.split('\n').findLast((each) => each.startsWith('error: '));
  return (line ?? text)
    .replace(/[a-z0-9]{25}(?:::[a-z0-9]{25})?/g, 'ID')
    .replace(/^error: (?:failed to solve: )?/, '')
    .replace(/rpc error: code = \w+ desc = /g, '')
    .replaceAll(/\/\S+\/cachemounts\/buildkit\d+/g, '');
}

/** Where ours says more. */
const SAYS_MORE = new Set(['no such program']);

describe('failures', () => {
  test.each(Object.entries(FAILURES))('%s', async (name, text) => {
    const file = `failing-${name.replaceAll(' ', '-')}`;
    writeFileSync(join(temp, file), `${BASE}FROM base\n${text}\n`);
    const [real, ours] = await Promise.all(both.map((daemon) => daemon.build(file)));
    if (SAYS_MORE.has(name)) expect(failureOf(ours!)).toContain(failureOf(real!));
    else expect(failureOf(ours!)).toBe(failureOf(real!));
  });

  // Their client waits for seconds once it was refused: side by side.
  test.concurrent.each([
    'attest:foo=bar',
    'attest:=x',
    'build-arg:BUILDKIT_ATTEST_FOO=1',
  ])('option %s', async (option) => {
    const file = `attested-${option.replaceAll(/\W/g, '-')}`;
    writeFileSync(join(temp, file), `${BASE}FROM base\n`);
    const [real, ours] = await Promise.all(both.map((daemon) => daemon.build(file, '--opt', option)));
    expect(failureOf(real!)).toContain('unknown attestation type');
    expect(failureOf(ours!)).toBe(failureOf(real!));
  });
});

describe('what a step sees', () => {
  const SEEN: Readonly<Record<string, string>> = {
    'its devices': 'RUN for f in /dev/* /dev/pts/*; do stat -c "%N %F %a %t %T %u:%g" $f; done',
    'its mounts': `RUN cut -d' ' -f2-4 /proc/self/mounts | grep -v '^/ ' | sed -E 's#^(/etc/[a-z.]+) [a-z0-9]+ (.*relatime).*#\\1 \\2#' | sort`,
    itself:
      'RUN id; pwd; umask; hostname; env | sort; cat /etc/hosts; ulimit -n; ls -l /proc/self/fd | grep -o "[012] -> /dev/null"; tty',
    'its kernel files':
      'RUN ls -d /proc/* /sys/* | grep -v "/proc/[0-9]"; for f in kcore keys timer_list scsi; do stat -c "%n %F %a" /proc/$f; done',
    'no network': 'RUN --network=none ip addr | grep -v link; ip route; grep Cap /proc/self/status',
    'memory of its own':
      'RUN --mount=type=tmpfs,target=/new --mount=type=tmpfs,target=/d --mount=type=tmpfs,target=/d/x,size=1m stat -c "%n %a %u:%g" /new /d /d/x; grep -E " /(new|d|d/x) " /proc/self/mounts',
    'memory in place of what is there':
      'RUN --mount=type=tmpfs,target=/dev --mount=type=tmpfs,target=/sys --mount=type=tmpfs,target=/etc/hosts ls -ld /etc/hosts | cut -c1-10; stat -c "%n %F %a %t %T" /dev /dev/* /sys/*; cut -d" " -f2,3 /proc/self/mounts | grep -E "^/(dev|sys)"',
    'a secret that nobody has': 'RUN --mount=type=secret,id=nobody,env=S env | grep -c ^S=',
    secrets:
      'RUN --mount=type=secret,id=s,target=/s,mode=0700 --mount=type=secret,id=s,target=/t,uid=5 --mount=type=secret,id=s,env=S stat -c "%n %a %u:%g" /s /t; echo $S; /s; grep -E " /(s|t) " /proc/self/mounts | grep -o " /[st] .*relatime"',
    caches:
      'RUN --mount=type=cache,target=/c --mount=type=cache,target=/u,uid=5,gid=6,mode=0700 --mount=type=cache,target=/r,readonly stat -c "%n %a %u:%g" /c /u /r; touch /r/x || echo read-only',
    'other stages':
      'RUN --mount=from=other,source=/sub,target=/o --mount=from=other,target=/w,rw cat /o/g; touch /o/x || echo read-only; touch /w/x && echo writable; stat -c "%n %a" /o /w',
  };
  const OTHER = 'FROM scratch AS other\nCOPY d /sub\n';

  test.each(Object.entries(SEEN))('%s', async (name, text) => {
    const file = `seen-${name.replaceAll(' ', '-')}`;
    const script = text.replace(/^(RUN (?:--\S+ )*)(.*)$/, '$1exec 2>&1; $2; true');
    writeFileSync(join(temp, file), `${BASE}${OTHER}FROM base\n${script}\n`);
    writeFileSync(join(temp, 'secret'), '#!/bin/sh\necho told\n');
    const printed = async (daemon: Daemon) => {
      const { code, text } = await daemon.build(file, '--no-cache', '--secret', `id=s,src=${join(temp, 'secret')}`);
      expect(code, text).toBe(0);
      return (
        [...text.matchAll(/^#\d+ \d+\.\d+ (.*)$/gm)]
          .map(([, line]) => line!)
          // What its tracing is told by, where ours has none.
          .filter((line) => !/^(OTEL_|TRACEPARENT=)|otel/.test(line))
      );
    };
    const [real, ours] = await Promise.all(both.map(printed));
    expect(ours).toEqual(real);
  });
});

test('a server is asked the same for what is added from it', async () => {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    const { 'user-agent': agent, 'accept-encoding': encoding, 'if-none-match': known } = req.headers;
    asked.push(`${req.method} ${req.url} ${agent?.replace(/\/v.*/, '')} ${encoding} ${known}`);
    const what = req.url?.slice(1);
    if (what === 'gone') res.writeHead(404).end();
    else if (what === 'moved') res.writeHead(302, { location: '/weak' }).end();
    else if (what === 'weak') res.writeHead(200, { etag: 'W/"w"' }).end('weak');
    else if (what === 'no-head' && req.method === 'HEAD') res.writeHead(405).end();
    else if (req.headers['if-none-match'] === '"e"') res.writeHead(304).end();
    else if (what === 'packed') res.writeHead(200, { etag: '"p"', 'content-encoding': 'gzip' }).end(gzipSync('packed'));
    else res.writeHead(200, { etag: '"e"', 'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT' }).end(what);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const seen = async (daemon: Daemon) => {
    const of: string[] = [];
    for (const name of ['plain', 'packed', 'moved', 'no-head', 'gone']) {
      writeFileSync(join(temp, 'added'), `FROM scratch\nADD ${url}/${name} /\n`);
      for (let round = 0; round < 2; round++) {
        const { code, text } = await daemon.build('added');
        of.push(...asked.splice(0), code === 0 ? 'built' : failureOf({ code, text }));
      }
    }
    return of;
  };
  try {
    const [real, ours] = both;
    expect(await seen(ours)).toEqual(await seen(real));
  } finally {
    server.close();
  }
});

test('checks find the same', async () => {
  writeFileSync(join(temp, 'linted'), BASE + LINTED);
  const found = async (daemon: Daemon) => {
    const { text } = await daemon.build('linted', '--opt', 'requestid=frontend.lint');
    return [...text.matchAll(/^WARNING: (\w+)[^\n]*\n([^\n]*)/gm)].map(([, rule, what]) => `${rule} ${what}`).sort();
  };
  const [real, ours] = await Promise.all(both.map(found));
  expect(real!.length).toBeGreaterThan(8);
  expect(ours).toEqual(real);
});

interface BuildRecord {
  readonly Ref: string;
  readonly CreatedAt: { readonly seconds: number; readonly nanos?: number };
  readonly error?: { readonly code: number };
  readonly logs?: { readonly media_type: string; readonly size?: number };
  readonly externalError?: { readonly media_type: string };
  readonly Result?: { readonly ResultDeprecated?: { readonly media_type: string }; readonly Results?: object };
  readonly [other: string]: unknown;
}

/** With their limits; `REF` is a build's. */
const FILTERS: readonly (readonly [readonly string[], number])[] = [
  [['status==error'], 0],
  [['status==completed'], 0],
  [['status==running', 'ref==REF'], 0],
  [['status!=completed,ref!=REF'], 0],
  [['ref~=^x'], 0],
  [['startedAt<1h'], 0],
  [['startedAt>1h'], 0],
  [['completedAt>=1h,status==error'], 0],
  [['duration<1h'], 0],
  [['duration>1h'], 0],
  [['startedAt>soon'], 0],
  [['duration>soon'], 0],
  [['status='], 0],
  [['nothing==x'], 0],
  [['repository'], 0],
  [[], 2],
  [['status==error'], 1],
  [[], -1],
];

test('the history of builds, its logs, and what is pinned and deleted of it', async () => {
  const past = async (daemon: Daemon) => {
    for (const { Ref } of await history(daemon)) await daemon.buildctl('debug', 'ctl', '--delete', Ref);
    const output = `--output=type=oci,tar=false,dest=${join(temp, `past-${createHash('md5').update(daemon.address).digest('hex')}`)}`;
    writeFileSync(join(temp, 'past'), `${BASE}FROM base\nRUN echo hello there\nARG A\nRUN echo oh no $A; exit 3\n`);
    writeFileSync(join(temp, 'empty'), 'FROM scratch\nCOPY f /\n');
    await daemon.build('past', '--opt', 'build-arg:A=1', '--no-cache');
    await daemon.build('empty', output);
    await daemon.buildctl('build', '--frontend=nonsense');
    await daemon.buildctl('build', '--frontend=dockerfile.v0', '--allow=security.insecure');
    const records = await history(daemon);
    const logs: string[][] = [];
    for (const { Ref } of records) logs.push(told((await daemon.buildctl('debug', 'logs', Ref)).text));
    const filtered: unknown[] = [];
    {
      await using client = openBuilderClient(`unix://${daemon.address}`);
      const places = new Map(records.map(({ Ref }, place) => [Ref, place]));
      for (const [filter, limit] of FILTERS) {
        const found: unknown[] = [];
        try {
          const request = {
            earlyExit: true,
            filter: filter.map((text) => text.replace('REF', records[1]!.Ref)),
            limit,
          };
          for await (const { type, record } of client.control.listenBuildHistory(request, { signal: neverAborted }))
            found.push([type, places.get(record?.ref ?? '')]);
          // Without a limit, those of the real daemon are in no order.
          filtered.push(limit === 0 ? found.sort() : found);
        } catch (error) {
          filtered.push((error as Error).message.split(':')[0]);
        }
      }
    }
    const [first] = records;
    const pins: unknown[] = [];
    for (const change of ['--pin', '--unpin', '--delete']) {
      expect((await daemon.buildctl('debug', 'ctl', change, first!.Ref)).code).toBe(0);
      pins.push((await history(daemon)).find(({ Ref }) => Ref === first!.Ref)?.['pinned']);
    }
    const unknown = await Promise.all(
      ['--pin', '--delete'].map(async (change) => (await daemon.buildctl('debug', 'ctl', change, 'nobody')).code),
    );
    return {
      records: records.map((record) => ({
        ...{ attributes: record['FrontendAttrs'], exporters: record['Exporters'], error: record.error?.code },
        ...{ total: record['numTotalSteps'], completed: record['numCompletedSteps'], cached: record['numCachedSteps'] },
        ...{ logs: record.logs?.media_type, whole: record.externalError?.media_type },
        ...{ result: record.Result?.ResultDeprecated?.media_type, results: Object.keys(record.Result?.Results ?? {}) },
      })),
      ...{ logs, pins, unknown, filtered },
    };
  };
  /** Of what is over, oldest first. */
  const history = async (daemon: Daemon): Promise<BuildRecord[]> => {
    const { text } = await daemon.buildctl('debug', 'histories', '--format={{json .}}');
    const lines = text.split('\n').filter(Boolean);
    const records = lines.map((line) => (JSON.parse(line) as { record: BuildRecord }).record);
    const at = ({ CreatedAt: { seconds, nanos = 0 } }: BuildRecord) => seconds * 1e9 + nanos;
    return records.sort((a, b) => at(a) - at(b));
  };
  /** The steps and what they printed, in their order. */
  const told = (text: string) =>
    text
      .split('\n')
      .filter((line) => /^#\d+ (\[\S*\d+\/\d+\]|\d+\.\d+ |ERROR)/.test(line))
      .map((line) => line.replace(/^#\d+ /, '').replace(/^\d+\.\d+ /, ''))
      .sort();
  const [real, ours] = await Promise.all(both.map(past));
  expect(real!.records).toHaveLength(3);
  expect(real!.logs.flat()).toContain('oh no 1');
  expect(ours).toEqual(real);
});

describe('ours alone', () => {
  test('a changed mode of a directory renews a COPY', async () => {
    const [, ours] = both;
    const modes = async () => (await ours.image('copy')).layers.flat().filter((entry) => entry.startsWith('d/sub '));
    const before = statSync(join(context, 'd/sub')).mode;
    expect(await modes()).toEqual([expect.stringContaining(' directory 711 ')]);
    try {
      chmodSync(join(context, 'd/sub'), 0o700);
      expect(await modes()).toEqual([expect.stringContaining(' directory 700 ')]);
    } finally {
      chmodSync(join(context, 'd/sub'), before);
    }
  });

  test('an unknown name after --chown warns', async () => {
    const [, ours] = both;
    writeFileSync(join(temp, 'chown'), `${BASE}FROM base\nCOPY --chown=nobody-here f /\n`);
    const { code, text } = await ours.build('chown', '--progress=rawjson');
    expect(code).toBe(0);
    const warnings = [...text.matchAll(/"short":"([^"]+)"/g)].map(([, short]) =>
      Buffer.from(short!, 'base64').toString(),
    );
    expect(warnings).toContain('user nobody-here is not in /etc/passwd: root is taken');
  });
});
