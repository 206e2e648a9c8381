import type { ParseArgsConfig } from 'node:util';
import { z } from 'zod';
import { invalidArgument } from '../../base/index.ts';
import { parseDuration } from '../../resources/index.ts';
import { readArguments } from '../arguments.ts';

/** Which cluster, as whom, and where in it. */
export interface ClusterFlags {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
}

/** `NAME`, `build/NAME` or `run/NAME`. */
interface Named {
  readonly of: 'any' | 'build' | 'run';
  readonly name: string;
}

export interface LogsCommand {
  readonly kind: 'logs';
  readonly cluster: ClusterFlags;
  readonly named: Named;
  readonly follow: boolean;
  readonly step: string | undefined;
  readonly sinceSeconds: number | undefined;
  readonly tail: number | undefined;
  readonly timestamps: boolean;
  readonly attempt: number | undefined;
  readonly progress: 'auto' | 'plain' | 'tty' | 'json';
}

export interface ClusterActCommand {
  readonly kind: 'describe' | 'cancel' | 'rerun';
  readonly cluster: ClusterFlags;
  readonly named: Named;
  /** Of rerun: to its end. */
  readonly follow: boolean;
}

interface ListCommand {
  readonly kind: 'get';
  readonly cluster: ClusterFlags;
  /** A Build whose runs are listed; all Builds where absent. */
  readonly build: string | undefined;
  readonly output: 'table' | 'json';
}

interface PoolCommand {
  readonly kind: 'pool';
  readonly cluster: ClusterFlags;
  /** All where absent. */
  readonly pool: string | undefined;
  readonly output: 'table' | 'json';
}

/** `slipway build` on a cluster. */
export interface ClusterBuildCommand {
  readonly kind: 'cluster-build';
  readonly cluster: Omit<ClusterFlags, 'context'>;
  /** Folders by the name of the local source; the main one is `context`. */
  readonly contexts: ReadonlyMap<string, string>;
  /** A manifest, or the name of an image in its place. */
  readonly file: string | undefined;
  readonly image: string | undefined;
  readonly progress: LogsCommand['progress'];
}

export type ClusterCommand = LogsCommand | ClusterActCommand | ListCommand | PoolCommand;

const CLUSTER: ParseArgsConfig['options'] = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
};

const cluster = {
  kubeconfig: z.string().min(1, 'names no file').optional(),
  context: z.string().min(1, 'names no context').optional(),
  namespace: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a namespace')
    .optional(),
};

const count = z
  .string()
  .regex(/^[0-9]{1,9}$/, 'must be a whole number')
  .transform(Number);

const logsSchema = z.object({
  ...cluster,
  follow: z.boolean().default(false),
  step: z.string().min(1, 'names no step').optional(),
  since: z
    .string()
    .refine((text) => isDuration(text), 'must be a duration, e.g. 5m or 30s')
    .transform((text) => Math.max(1, Math.ceil(parseDuration(text) / 1000)))
    .optional(),
  tail: count.optional(),
  attempt: count.optional(),
  timestamps: z.boolean().default(false),
  progress: z.enum(['auto', 'plain', 'tty', 'json'], { error: 'must be auto, plain, tty or json' }).default('auto'),
});
const actSchema = z.object({ ...cluster, follow: z.boolean().default(false) });
const listSchema = z.object({
  ...cluster,
  output: z.enum(['table', 'json'], { error: 'must be table or json' }).default('table'),
});

export const CLUSTER_COMMANDS: readonly string[] = ['logs', 'get', 'describe', 'cancel', 'rerun', 'pool'];

/** @throws CodedError invalid_argument that names the flag */
export function parseClusterCommand(kind: string, args: readonly string[]): ClusterCommand {
  switch (kind) {
    case 'logs': {
      const options: ParseArgsConfig['options'] = {
        ...CLUSTER,
        follow: { type: 'boolean', short: 'f' },
        step: { type: 'string' },
        since: { type: 'string' },
        tail: { type: 'string' },
        attempt: { type: 'string' },
        timestamps: { type: 'boolean' },
        progress: { type: 'string' },
      };
      const { data, positionals } = readArguments(kind, args, options, logsSchema, 1);
      const { follow, step, since, tail, attempt, timestamps, progress } = data;
      return {
        ...{ kind, cluster: clusterOf(data), named: named(kind, positionals[0]) },
        ...{ follow, step, sinceSeconds: since, tail, attempt, timestamps, progress },
      };
    }
    case 'describe':
    case 'cancel':
    case 'rerun': {
      const follow: ParseArgsConfig['options'] = kind === 'rerun' ? { follow: { type: 'boolean', short: 'f' } } : {};
      const { data, positionals } = readArguments(kind, args, { ...CLUSTER, ...follow }, actSchema, 1);
      return { kind, cluster: clusterOf(data), named: named(kind, positionals[0]), follow: data.follow };
    }
    default: {
      const options: ParseArgsConfig['options'] = { ...CLUSTER, output: { type: 'string', short: 'o' } };
      const { data, positionals } = readArguments(kind, args, options, listSchema, 2);
      const of = { cluster: clusterOf(data), output: data.output };
      if (kind === 'get') {
        if (positionals.length > 1) throw invalidArgument('slipway get: name one Build at most');
        return { kind: 'get', ...of, build: positionals[0]?.replace(/^builds?\//, '') };
      }
      const [verb = 'list', pool] = positionals;
      if (verb !== 'list' && verb !== 'describe')
        throw invalidArgument(`slipway pool: ${JSON.stringify(verb)} is unknown: there are list and describe NAME`);
      if (verb === 'describe' && pool === undefined) throw invalidArgument('slipway pool describe: name a BuilderPool');
      return { kind: 'pool', ...of, pool };
    }
  }
}

function clusterOf({ kubeconfig, context, namespace }: Partial<ClusterFlags>): ClusterFlags {
  return { kubeconfig, context, namespace };
}

function named(command: string, text: string | undefined): Named {
  if (text === undefined) throw invalidArgument(`slipway ${command}: name a Build or a BuildRun`);
  const [, kind, name = text] = /^(builds?|buildruns?|runs?)(?:\.slipway\.build)?\/(.+)$/.exec(text) ?? [];
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name))
    throw invalidArgument(`slipway ${command}: ${JSON.stringify(text)} is no name of a Build or a BuildRun`);
  return { of: kind === undefined ? 'any' : /^builds?$/.test(kind) ? 'build' : 'run', name };
}

function isDuration(text: string): boolean {
  try {
    return parseDuration(text) > 0;
  } catch {
    return false;
  }
}
