import { type ChildProcess, spawn } from 'node:child_process';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams as they came. */
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Told of the child, e.g. to kill it half way. */
  readonly onStart?: (child: ChildProcess) => void;
  /** Told of all that was printed so far, whenever there is more: a line may come in two pieces. */
  readonly onOutput?: (output: string) => void;
}

/** Runs a program to its end and says what it printed. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out: string[] = [];
  const err: string[] = [];
  const all: string[] = [];
  const collect = (into: string[]) => (text: string) => {
    into.push(text);
    all.push(text);
    options.onOutput?.(all.join(''));
  };
  child.stdout.setEncoding('utf8').on('data', collect(out));
  child.stderr.setEncoding('utf8').on('data', collect(err));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  child.on('error', reject);
  child.on('close', (code) => resolve({ code, stdout: out.join(''), stderr: err.join(''), output: all.join('') }));
  options.onStart?.(child);
  return promise;
}

/** Runs a program that must succeed; @throws with its whole output when it does not. */
export async function must(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const ran = await run(command, args, options);
  if (ran.code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${ran.code}:\n${ran.output}`);
  return ran;
}
