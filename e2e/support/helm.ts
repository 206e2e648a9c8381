import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { loadAll } from 'js-yaml';
import { tool } from '../../test/tools.ts';
import { root } from './paths.ts';
import { type Ran, run } from './run.ts';

export const chart = path.join(root, 'charts/slipway');

/** An object as a chart renders it, or as a cluster has it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

/** Helm with a home of its own below `home`, towards the cluster of `kubeconfig`. */
export function helm(home: string, args: readonly string[], kubeconfig?: string): Promise<Ran> {
  mkdirSync(home, { recursive: true });
  const env = { HOME: home, XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home };
  return run(tool('helm'), args, { env: { ...env, KUBECONFIG: kubeconfig ?? path.join(home, 'none') } });
}

/** The chart's objects with these values, as a release of the name `slipway` in `slipway-system` has them. @throws with what Helm says */
export async function renderChart(home: string, values: object = {}, flags: readonly string[] = []): Promise<string> {
  const given = Object.entries(values).map(([at, value]) => `--set-json=${at}=${JSON.stringify(value)}`);
  const ran = await helm(home, ['template', 'slipway', chart, '--namespace=slipway-system', ...given, ...flags]);
  if (ran.code !== 0) throw new Error(ran.output);
  return ran.stdout;
}

export function manifests(yaml: string): readonly Manifest[] {
  return (loadAll(yaml) as (Manifest | null)[]).filter((one) => one !== null);
}
