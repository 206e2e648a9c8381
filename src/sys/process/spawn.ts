import { accessSync, closeSync, constants, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants as os } from 'node:os';
import { delimiter } from 'node:path';
import { CodedError } from '../../base/index.ts';
import { libc, sysError } from '../libc.ts';
import { tellStart } from '../starts.ts';
import { pipe, pipeStream } from './pipe.ts';
import { type ExitStatus, isUnreaped, reap } from './reaper.ts';

/** `null` is /dev/null, `inherit` ours, a number a descriptor that the caller keeps and closes. */
type Stdio = 'null' | 'pipe' | 'inherit' | number;

export interface SpawnOptions {
  /** Absolute, or a name looked up in `env.PATH` (else the usual directories). */
  readonly path: string;
  /** Arguments after argv[0]. */
  readonly args?: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: Stdio;
  readonly stdout?: Stdio;
  readonly stderr?: Stdio;
  /** A process group or session of its own; `kill` then reaches the whole group. Default `group`. */
  readonly lead?: 'group' | 'session' | 'none';
  /** SIGKILL when the daemon dies (through setpriv(1) of util-linux). */
  readonly dieWithParent?: boolean;
}

const SETPGROUP = 0x02;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;

/** Where programs are looked up when the caller's environment has no PATH. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A running child. Disposing kills its group and waits for its end. */
export interface ChildProcess extends AsyncDisposable {
  readonly pid: number;
  readonly stdin: Socket | undefined;
  readonly stdout: Socket | undefined;
  readonly stderr: Socket | undefined;
  /** Never rejects. Output may still be in the pipes. */
  readonly exited: Promise<ExitStatus>;
  readonly isRunning: boolean;
  /** Signals the process, or its group when it leads one; nothing once it is reaped. */
  kill(signal?: NodeJS.Signals): void;
}

/**
 * Starts a process by posix_spawn(3): the cost does not grow with our heap, as that of child_process.spawn does. Signals are at their
 * defaults in the child, and it gets only the three descriptors.
 * @throws CodedError failed_precondition when the program is not there.
 */
export function spawnProcess(options: SpawnOptions): ChildProcess {
  const env = options.env ?? { PATH: DEFAULT_PATH };
  let path = findProgram(options.path, env['PATH'] ?? DEFAULT_PATH);
  let argv: readonly string[] = [options.path, ...(options.args ?? [])];
  if (options.dieWithParent) {
    argv = ['setpriv', '--pdeathsig', 'KILL', '--', path, ...(options.args ?? [])];
    path = findProgram('setpriv', DEFAULT_PATH);
  }
  const lead = options.lead ?? 'group';
  const actions = Buffer.alloc(256);
  const attributes = Buffer.alloc(512);
  const signals = Buffer.alloc(128);
  const childEnds: number[] = [];
  const ourEnds: number[] = [];
  const streams: (Socket | undefined)[] = [undefined, undefined, undefined];
  libc.actionsInit(actions);
  libc.attrInit(attributes);
  try {
    for (const [fd, stdio] of [options.stdin ?? 'null', options.stdout ?? 'null', options.stderr ?? 'null'].entries()) {
      if (stdio === 'inherit') continue;
      if (stdio === 'null') must(libc.actionsOpen(actions, fd, '/dev/null', constants.O_RDWR, 0), 'addopen');
      else if (typeof stdio === 'number') must(libc.actionsDup2(actions, stdio, fd), 'adddup2');
      else {
        const { read, write } = pipe();
        const [theirs, ours] = fd === 0 ? [read, write] : [write, read];
        childEnds.push(theirs);
        ourEnds[fd] = ours;
        must(libc.actionsDup2(actions, theirs, fd), 'adddup2');
      }
    }
    // Ours close on exec; those that we inherited ourselves may not.
    must(libc.actionsCloseFrom(actions, 3), 'addclosefrom_np');
    if (options.cwd !== undefined) must(libc.actionsChdir(actions, options.cwd), 'addchdir_np');
    libc.sigfillset(signals);
    libc.attrSetSigDefault(attributes, signals);
    libc.sigemptyset(signals);
    libc.attrSetSigMask(attributes, signals);
    if (lead === 'group') libc.attrSetPgroup(attributes, 0);
    const leadFlag = lead === 'group' ? SETPGROUP : lead === 'session' ? SETSID : 0;
    libc.attrSetFlags(attributes, SETSIGDEF | SETSIGMASK | leadFlag);
    const pidOut = new Int32Array(1);
    const environment = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const errno = libc.posixSpawn(pidOut, path, actions, attributes, [...argv, null], [...environment, null]);
    if (errno !== 0) throw startError(options, sysError('posix_spawn', options.cwd ?? path, errno));
    const pid = pidOut[0] as number;
    tellStart('process', path);
    const exited = reap(pid);
    for (const [fd, ours] of ourEnds.entries()) {
      if (ours === undefined) continue;
      streams[fd] = pipeStream(ours, fd === 0 ? 'write' : 'read');
      delete ourEnds[fd];
    }
    // A child that ends without reading its input is no error of ours.
    streams[0]?.on('error', () => {});
    const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
      if (isUnreaped(pid)) libc.kill(lead === 'none' ? pid : -pid, os.signals[signal]);
    };
    return {
      pid,
      stdin: streams[0],
      stdout: streams[1],
      stderr: streams[2],
      exited,
      get isRunning() {
        return isUnreaped(pid);
      },
      kill,
      [Symbol.asyncDispose]: async () => {
        kill();
        await exited;
        for (const stream of streams) stream?.destroy();
      },
    };
  } finally {
    for (const fd of childEnds) closeSync(fd);
    for (const fd of ourEnds) if (fd !== undefined) closeSync(fd);
    libc.actionsDestroy(actions);
    libc.attrDestroy(attributes);
  }
}

function must(errno: number, call: string): void {
  if (errno !== 0) throw sysError(call, undefined, errno);
}

function startError(options: SpawnOptions, cause: Error): CodedError {
  return CodedError.of('SYS_SPAWN', `start ${options.path}: ${cause.message}`, { cause });
}

/** The absolute path of a program. @throws CodedError failed_precondition with what to install. */
export function findProgram(name: string, searchPath: string = DEFAULT_PATH): string {
  const candidates = name.includes('/')
    ? [name]
    : searchPath.split(delimiter).map((directory) => `${directory}/${name}`);
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not here: the next one.
    }
  }
  throw CodedError.of('SYS_PROGRAM_MISSING', `program not found: ${name}`, {
    hint: `install ${name}, or put it on PATH`,
  });
}
