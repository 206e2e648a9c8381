import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** One measured case: `prepare` makes a round's context and build arguments, the same for both builders. */
export interface Workload {
  readonly name: string;
  readonly rounds: number;
  /** Builds once before the clock runs, for cases that measure what comes from the cache. */
  readonly warm: boolean;
  readonly push: boolean;
  prepare(folder: string, round: number): { readonly args: Readonly<Record<string, string>> };
}

const BUSYBOX = '/bin/busybox';

function contextWith(folder: string, dockerfile: string): void {
  mkdirSync(folder, { recursive: true });
  copyFileSync(BUSYBOX, path.join(folder, 'sh'));
  writeFileSync(path.join(folder, 'Dockerfile'), dockerfile);
}

const steps = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, at) => `RUN echo ${prefix}${at} $N > /${prefix}${at}\n`).join('');

const tenSteps = `FROM scratch\nCOPY sh /bin/sh\nARG N\n${steps(10, 's')}`;

const manyVertices = () => {
  let text = 'FROM scratch AS base\nCOPY sh /bin/sh\nARG N\n';
  for (let stage = 0; stage < 20; stage++) text += `FROM base AS stage${stage}\nARG N\n${steps(19, `f${stage}x`)}`;
  text += 'FROM base\n';
  for (let stage = 0; stage < 20; stage++) text += `COPY --from=stage${stage} /f${stage}x18 /\n`;
  return text;
};

/** The cases of the table, in its order. */
export const WORKLOADS: readonly Workload[] = [
  {
    name: 'ten uncached small steps in a row',
    rounds: 8,
    warm: false,
    push: false,
    prepare: (folder, round) => {
      contextWith(folder, tenSteps);
      return { args: { N: `${process.pid}-${round}` } };
    },
  },
  {
    name: 'the same, fully cached',
    rounds: 20,
    warm: true,
    push: false,
    prepare: (folder) => {
      contextWith(folder, tenSteps);
      return { args: { N: `${process.pid}-cached` } };
    },
  },
  {
    name: '20,000 files sent, copied and pushed',
    rounds: 6,
    warm: false,
    push: true,
    prepare: (folder, round) => {
      contextWith(folder, 'FROM scratch\nCOPY tree /tree\n');
      const filler = 'x'.repeat(2000);
      for (let dir = 0; dir < 100; dir++) {
        const at = path.join(folder, 'tree', `d${dir}`);
        mkdirSync(at, { recursive: true });
        for (let file = 0; file < 200; file++)
          writeFileSync(path.join(at, `f${file}`), `${process.pid} ${round} ${dir} ${file} ${filler}`);
      }
      return { args: {} };
    },
  },
  {
    name: '400 cached vertices',
    rounds: 12,
    warm: true,
    push: false,
    prepare: (folder) => {
      contextWith(folder, manyVertices());
      return { args: { N: `${process.pid}-many` } };
    },
  },
];
