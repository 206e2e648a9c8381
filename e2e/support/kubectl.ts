import { kubectl as program } from './paths.ts';
import { type Ran, type RunOptions, run } from './run.ts';

/** kubectl towards one cluster, as one user. */
export interface Kubectl {
  kubectl(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** kubectl that must succeed; what it printed. */
  must(args: readonly string[], options?: RunOptions): Promise<string>;
  /** `kubectl apply` of YAML text. */
  apply(yaml: string): Promise<Ran>;
  /** An object, undefined when there is none. */
  get<T = Readonly<Record<string, unknown>>>(kind: string, name: string, namespace?: string): Promise<T | undefined>;
}

/** `home` is where kubectl keeps what it learned of the cluster. */
export function kubectlOf(kubeconfig: string, home: string): Kubectl {
  const kubectl = (args: readonly string[], options: RunOptions = {}) =>
    run(program, args, { ...options, env: { KUBECONFIG: kubeconfig, HOME: home, ...options.env } });
  return {
    kubectl,
    must: async (args, options) => {
      const ran = await kubectl(args, options);
      if (ran.code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${ran.code}:\n${ran.output}`);
      return ran.stdout;
    },
    apply: (yaml) => kubectl(['apply', '-f', '-'], { input: yaml }),
    get: async <T>(kind: string, name: string, namespace = 'default') => {
      const ran = await kubectl(['get', kind, name, '-n', namespace, '-o', 'json', '--ignore-not-found']);
      if (ran.code !== 0) throw new Error(ran.output);
      return ran.stdout.trim() === '' ? undefined : (JSON.parse(ran.stdout) as T);
    },
  };
}
