import { readFileSync } from 'node:fs';
import { pipeline, type Readable, Transform } from 'node:stream';
import type { AbortOptions } from '../../base/index.ts';
import { cgroupLayout, findProgram, run } from '../../sys/index.ts';

/** An OCI runtime's program and how it is called. */
export interface Runtime {
  readonly name: 'runc' | 'crun';
  readonly path: string;
  readonly version: string;
}

/** The first crun that keeps compiled seccomp filters, as far as is known. */
const CRUN_WITH_FILTER_CACHE = [1, 28] as const;

/** The runtime on PATH, or undefined; asks it for its version. */
export async function findRuntime(name: Runtime['name'], options: AbortOptions): Promise<Runtime | undefined> {
  let path: string;
  try {
    path = findProgram(name);
  } catch {
    return undefined;
  }
  const { code, stdout } = await run(path, ['--version'], options);
  const version = /version (\S+)/.exec(stdout.toString())?.[1];
  return code === 0 && version !== undefined ? { name, path, version } : undefined;
}

/** Whether a crun is worth a trial container here: recent enough to be faster than runc, on a cgroup tree that it knows. */
export function isCrunCandidate(version: string, layout = cgroupLayout()): boolean {
  if (layout.kind !== 'v2') return false;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor, wantedMinor] = CRUN_WITH_FILTER_CACHE;
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

export interface RuntimeCall {
  /** The runtime's state directory. */
  readonly state: string;
  readonly bundle: string;
  /** Of the container. */
  readonly id: string;
  /** Of the process: its files in the bundle begin with it. */
  readonly name: string;
}

/** Arguments of a plain foreground run; the container is deleted at its end. */
export function runArguments(runtime: Runtime, call: RuntimeCall): string[] {
  const { bundle, id, name } = call;
  return [...globalArguments(runtime, call), 'run', '--bundle', bundle, '--pid-file', `${bundle}/${name}.pid`, id];
}

/** Arguments that start another process in the foreground, which `<name>.json` describes. */
export function execArguments(runtime: Runtime, call: RuntimeCall): string[] {
  const { bundle, id, name } = call;
  const files = ['--process', `${bundle}/${name}.json`, '--pid-file', `${bundle}/${name}.pid`];
  return [...globalArguments(runtime, call), 'exec', ...files, id];
}

function globalArguments(runtime: Runtime, { state, bundle, name }: RuntimeCall): string[] {
  const log = `${bundle}/${name}.log`;
  return ['--root', state, '--log', runtime.name === 'crun' ? `file:${log}` : log, '--log-format', 'json'];
}

/** Rewrites what the runtime says in a step's words: paths of its root, and no other of the builder's, which help nobody whose step it is. */
export type OwnPaths = (text: string) => string;

export function withoutBundle(bundle: string, stateRoot: string | undefined): OwnPaths {
  return (text) => {
    const inRoot = text
      .replaceAll(`${bundle}/rootfs/`, '/')
      .replaceAll(`${bundle}/rootfs`, '/')
      .replaceAll(`${bundle}/`, '');
    return stateRoot === undefined ? inRoot : inRoot.replaceAll(stateRoot, '<builder>');
  };
}

/** A stream without what only the builder knows. The runtime writes a message at once, so it is in one piece. */
export function hidden(stream: Readable, needle: string, hide: OwnPaths): Readable {
  const hiding = new Transform({
    transform: (chunk: Buffer, _, done) =>
      done(null, chunk.includes(needle) ? Buffer.from(hide(chunk.toString('latin1')), 'latin1') : chunk),
  });
  pipeline(stream, hiding, () => {});
  return hiding;
}

/** The runtime's own error in the log beside a process's other files, when it (and not the process) failed. */
export function runtimeError(files: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(`${files}.log`, 'utf8');
  } catch {
    return undefined;
  }
  let message: string | undefined;
  for (const line of text.split('\n')) {
    try {
      const entry = JSON.parse(line) as { level?: string; msg?: string };
      if (entry.level === 'error' || entry.level === 'fatal') message = entry.msg;
    } catch {
      // Not an entry.
    }
  }
  return message;
}

/** Whether a runtime's error is about what the step asked for: its program, directory or mount targets; anything else is the platform's. */
export function isStepsFault(message: string): boolean {
  return /exec: "|exec format error|executable file|no such file or directory|not a directory|permission denied|\bcwd\b|environment variable|read-only file system|cannot be mounted because/i.test(
    message,
  );
}
