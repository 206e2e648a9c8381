import { randomBytes } from 'node:crypto';
import { closeSync, copyFileSync, linkSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { BuildRequest } from './client.ts';

/** One measured kind of work, the same for both builders. */
export interface Row {
  /** What `npm run bench -- ID` calls it. */
  readonly id: string;
  readonly name: string;
  /** Slipway's time to buildkitd's that is to be reached. */
  readonly goal: number;
  readonly rounds: number;
  /** How many build at once. */
  readonly clients: number;
  readonly push: boolean;
  /** Builds once before the clock runs. */
  readonly warm: boolean;
  /** Whether the builder forgets all before each round. */
  readonly empty?: boolean;
  /** What a round asks for beside its context; the round that warms up is -1. */
  request?(at: RoundOf): Partial<BuildRequest>;
  /** Makes a round's context in a folder that the row has for itself. @returns the context */
  prepare(folder: string, round: number): string;
  /** The value of the build argument N, which makes work new where it was not there before. */
  work(round: number, client: number): string;
}

/** A round, and who is measured where. */
export interface RoundOf {
  readonly round: number;
  readonly builder: string;
  /** `host:port` of the registry. */
  readonly registry: string;
}

const BUSYBOX = '/bin/busybox';
const FILLER = 'x'.repeat(2000);

/** A context with a shell and what else it has; nothing of it comes from anywhere but this machine. */
function contextWith(folder: string, dockerfile: string): string {
  const bin = path.join(folder, 'bin');
  if (mkdirSync(bin, { recursive: true }) !== undefined) {
    copyFileSync(BUSYBOX, path.join(bin, 'sh'));
    for (const name of ['mkdir', 'sleep']) linkSync(path.join(bin, 'sh'), path.join(bin, name));
  }
  writeFileSync(path.join(folder, 'Dockerfile'), dockerfile);
  return folder;
}

function writeTree(folder: string, dirs: number, files: number, content: (dir: number, file: number) => string): void {
  for (let dir = 0; dir < dirs; dir++) {
    const at = path.join(folder, 'tree', `d${dir}`);
    mkdirSync(at, { recursive: true });
    for (let file = 0; file < files; file++) writeFileSync(path.join(at, `f${file}`), content(dir, file));
  }
}

function writeHalfRandom(file: string, mebibytes: number): void {
  const fd = openSync(file, 'w');
  for (let at = 0; at < mebibytes; at++)
    writeSync(fd, Buffer.concat([randomBytes(512 * 1024), Buffer.alloc(512 * 1024)]));
  closeSync(fd);
}

const BASE = 'FROM scratch AS base\nCOPY bin /bin\nARG N\n';

const steps = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, at) => `RUN echo ${prefix}${at} $N > /${prefix}${at}\n`).join('');

function stages(count: number, body: (stage: number) => string, result: (stage: number) => string): string {
  const numbers = [...Array(count).keys()];
  const made = numbers.map((stage) => `FROM base AS stage${stage}\nARG N\n${body(stage)}`).join('');
  return `${BASE}${made}FROM base\n${numbers.map((stage) => `COPY --from=stage${stage} ${result(stage)} /\n`).join('')}`;
}

const MANY_VERTICES = stages(
  20,
  (stage) => steps(19, `f${stage}x`),
  (stage) => `/f${stage}x18`,
);
const WAITING_STAGES = stages(
  12,
  (stage) => `RUN sleep 1; echo $N > /waited${stage}\n`,
  (stage) => `/waited${stage}`,
);
const WRITES_FILES = `${BASE}RUN mkdir /out; d=0; while [ $d -lt 100 ]; do mkdir /out/$d; f=0; \\
  while [ $f -lt 200 ]; do echo $N $d $f > /out/$d/$f; f=$((f+1)); done; d=$((d+1)); done
`;

/** 25 stages of 40 small files each, all in the result. */
const MANY_RECORDS = stages(
  25,
  (stage) => Array.from({ length: 40 }, (_, at) => `COPY bin/sh /c${stage}x${at}\n`).join(''),
  (stage) => `/c${stage}x39`,
);

/** A context of so many steps in a row. */
export const longBuild = (folder: string, count: number) => contextWith(folder, `${BASE}${steps(count, 's')}`);

const run = process.pid;
const newEachRound = (round: number) => `${run}-${round}`;
/** 400 MB that are written once, and a stamp that makes the layer another each round. */
function halfRandomLayer(folder: string, round: number): string {
  contextWith(folder, 'FROM scratch\nCOPY big stamp /\n');
  if (round === 0) writeHalfRandom(path.join(folder, 'big'), 400);
  writeFileSync(path.join(folder, 'stamp'), `${run} ${round}`);
  return folder;
}

const always = () => `${run}`;
const alone = { clients: 1, push: false, warm: false, work: newEachRound };

/** The rows of the table, in its order. */
export const ROWS: readonly Row[] = [
  {
    ...alone,
    id: 'steps',
    name: 'ten uncached steps in a row',
    goal: 0.45,
    rounds: 8,
    prepare: (folder) => contextWith(folder, `${BASE}${steps(10, 's')}`),
  },
  {
    ...alone,
    id: 'cached',
    name: 'a cached build of 12 steps with 2,000 files',
    goal: 0.7,
    rounds: 16,
    warm: true,
    prepare(folder, round) {
      if (round === 0) writeTree(folder, 20, 100, (dir, file) => `${dir} ${file} ${FILLER}`);
      return contextWith(folder, `${BASE}COPY tree /tree\n${steps(10, 's')}`);
    },
    work: always,
  },
  {
    ...alone,
    id: 'stages',
    name: '12 independent stages that wait a second',
    goal: 0.9,
    rounds: 5,
    prepare: (folder) => contextWith(folder, WAITING_STAGES),
  },
  {
    ...alone,
    id: 'files',
    name: '20,000 files sent, copied and pushed',
    goal: 0.5,
    rounds: 6,
    push: true,
    prepare(folder, round) {
      const context = path.join(folder, String(round));
      writeTree(context, 100, 200, (dir, file) => `${run} ${round} ${dir} ${file} ${FILLER}`);
      return contextWith(context, 'FROM scratch\nCOPY tree /tree\n');
    },
  },
  {
    ...alone,
    id: 'changed',
    name: 'one changed file of 20,000',
    goal: 0.9,
    rounds: 8,
    push: true,
    warm: true,
    prepare(folder, round) {
      if (round === 0) writeTree(folder, 100, 200, (dir, file) => `${run} ${dir} ${file} ${FILLER}`);
      writeFileSync(path.join(folder, 'tree/d50/f100'), `${run} ${round} changed`);
      return contextWith(folder, 'FROM scratch\nCOPY tree /tree\n');
    },
  },
  {
    ...alone,
    id: 'layer',
    name: 'a 400 MB half-random layer, packed and pushed',
    goal: 0.4,
    rounds: 4,
    push: true,
    warm: true,
    prepare: halfRandomLayer,
  },
  {
    ...alone,
    id: 'writes',
    name: 'a step that writes 20,000 files, pushed',
    goal: 0.6,
    rounds: 6,
    push: true,
    prepare: (folder) => contextWith(folder, WRITES_FILES),
  },
  {
    ...alone,
    id: 'same',
    name: '30 clients wanting the same new work',
    goal: 0.7,
    rounds: 6,
    clients: 30,
    prepare: (folder) => contextWith(folder, `${BASE}${steps(3, 's')}`),
  },
  {
    ...alone,
    id: 'different',
    name: '20 clients wanting different work',
    goal: 0.5,
    rounds: 6,
    clients: 20,
    prepare: (folder) => contextWith(folder, `${BASE}${steps(3, 's')}`),
    work: (round, client) => `${run}-${round}-${client}`,
  },
  {
    ...alone,
    id: 'vertices',
    name: '400 cached vertices',
    goal: 0.25,
    rounds: 12,
    warm: true,
    prepare: (folder) => contextWith(folder, MANY_VERTICES),
    work: always,
  },
  {
    ...alone,
    id: 'zstd',
    name: 'the same 400 MB as zstd',
    goal: 0.5,
    rounds: 4,
    push: true,
    warm: true,
    prepare: halfRandomLayer,
    request: () => ({ output: 'compression=zstd' }),
  },
  {
    ...alone,
    id: 'imported',
    name: 'a cache imported into an empty builder, the image pushed',
    goal: 0.6,
    rounds: 6,
    push: true,
    warm: true,
    empty: true,
    prepare(folder, round) {
      if (round === 0) writeTree(folder, 20, 100, (dir, file) => `${dir} ${file} ${FILLER}`);
      return contextWith(folder, `${BASE}COPY tree /tree\n${steps(10, 's')}`);
    },
    work: always,
    request: ({ round, builder }) => ({ [round < 0 ? 'exportCache' : 'importCache']: `${builder}-cache:1` }),
  },
  {
    ...alone,
    id: 'records',
    name: 'a cache of 1,000 records imported into an empty builder',
    goal: 0.5,
    rounds: 6,
    warm: true,
    empty: true,
    prepare: (folder) => contextWith(folder, MANY_RECORDS),
    work: always,
    request: ({ round, builder }) => ({ [round < 0 ? 'exportCache' : 'importCache']: `${builder}-cache:1` }),
  },
  {
    ...alone,
    id: 'base',
    name: 'a base of 300 MB and 30,000 files, pulled and unpacked',
    goal: 0.6,
    rounds: 4,
    warm: true,
    empty: true,
    prepare(folder, round) {
      if (round === 0)
        writeTree(folder, 150, 200, (dir, file) => randomBytes(3500).toString('base64') + FILLER + FILLER + dir + file);
      return contextWith(folder, 'ARG BASE\nFROM $BASE\nARG COPIED\nCOPY bin $COPIED /\nRUN ["/sh", "-c", ":"]\n');
    },
    // Both pull the image that the real daemon has packed.
    request: ({ round, builder, registry }) =>
      round < 0
        ? { args: { BASE: 'scratch', COPIED: 'tree' }, push: `${builder}-base:1` }
        : { args: { BASE: `${registry}/buildkitd-base:1`, COPIED: 'bin' } },
  },
];
