import {
  type ChownOpt,
  type FileAction,
  type FileCopy,
  type InputIndex,
  type OpBody,
  type Output,
  rawStep,
  type StepOptions,
  type UserOpt,
} from '../llb/index.ts';
import { joinPath } from './paths.ts';

/** Who shall own a file: numbers, or names that the file system being written to knows. */
export interface Owner {
  readonly user: number | string | undefined;
  readonly group: number | string | undefined;
}

/** `user[:group]`; `root` is 0 everywhere. */
export function parseOwner(text: string): Owner {
  const colon = text.indexOf(':');
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? '' : text.slice(colon + 1);
  return { user: idOf(user), group: group === '' ? undefined : idOf(group) };
}

function idOf(text: string): number | string {
  if (text === 'root') return 0;
  const number = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return number >= -(2 ** 31) && number < 2 ** 31 ? number >>> 0 : text;
}

export type FileStep =
  | ({ readonly kind: 'mkdir'; readonly path: string; readonly mode: number; readonly parents: boolean } & StepCommon)
  | ({ readonly kind: 'mkfile'; readonly path: string; readonly mode: number; readonly data: string } & StepCommon)
  | ({
      readonly kind: 'copy';
      readonly from: Output | undefined;
      readonly copy: Partial<FileCopy> & CopyPaths;
    } & StepCommon);

interface StepCommon {
  readonly owner?: Owner | undefined;
  /** Seconds since the epoch. */
  readonly created?: number | undefined;
}

interface CopyPaths {
  readonly src: string;
  readonly dest: string;
}

const COPY_DEFAULTS: Omit<FileCopy, 'src' | 'dest'> = {
  mode: -1,
  modeStr: '',
  followSymlink: false,
  dirCopyContents: false,
  attemptUnpack: false,
  createDestPath: false,
  allowWildcard: false,
  allowEmptyWildcard: false,
  timestamp: -1n,
  includePatterns: [],
  excludePatterns: [],
  alwaysReplaceExistingDestPaths: false,
  requiredPaths: [],
};

/** Steps on a file system, each on the result of the one before; the last is the result. */
export function fileVertex(base: Output | undefined, steps: readonly FileStep[], options: StepOptions): Output {
  return rawStep(
    {
      inputs: [base, ...steps.map((step) => (step.kind === 'copy' ? step.from : undefined))],
      body: (indexOf) => fileBody(base, steps, indexOf),
      caps: ['file.base'],
      anyPlatform: true,
    },
    options,
  );
}

function fileBody(base: Output | undefined, steps: readonly FileStep[], indexOf: InputIndex): OpBody {
  const baseIndex = indexOf(base);
  const secondary = steps.map((step) => (step.kind === 'copy' ? indexOf(step.from) : -1));
  const inputs = 1 + Math.max(baseIndex, ...secondary);
  const actions = steps.map((step, i): FileAction => {
    return {
      input: i === 0 ? baseIndex : inputs + i - 1,
      secondaryInput: secondary[i]!,
      output: i + 1 === steps.length ? 0 : -1,
      body: actionBody(step, baseIndex),
    };
  });
  return { kind: 'file', file: { actions } };
}

function actionBody(step: FileStep, baseIndex: number): FileAction['body'] {
  const timestamp = step.created === undefined ? -1n : BigInt(step.created) * 1_000_000_000n;
  const owner = step.owner === undefined ? {} : { owner: chownOf(step.owner, baseIndex) };
  switch (step.kind) {
    case 'mkdir': {
      const { path, mode, parents } = step;
      return { kind: 'mkdir', mkdir: { path, mode: mode & 0o777, makeParents: parents, timestamp, ...owner } };
    }
    case 'mkfile': {
      const data = new TextEncoder().encode(step.data);
      const path = joinPath('/', step.path);
      return { kind: 'mkfile', mkfile: { path, mode: step.mode, data, timestamp, ...owner } };
    }
    case 'copy':
      return { kind: 'copy', copy: { ...COPY_DEFAULTS, timestamp, ...step.copy, ...owner } };
  }
}

function chownOf(owner: Owner, baseIndex: number): ChownOpt {
  const user = userOf(owner.user, baseIndex);
  const group = userOf(owner.group, baseIndex);
  return { ...(user === undefined ? {} : { user }), ...(group === undefined ? {} : { group }) };
}

function userOf(value: number | string | undefined, input: number): UserOpt | undefined {
  if (value === undefined || value === '') return value === '' ? { id: 0 } : undefined;
  return typeof value === 'number' ? { id: value } : { name: value, input };
}
