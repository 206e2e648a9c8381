import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program that runs until it is stopped, with its output in a file. Disposing ends it. */
export interface Service extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly running: boolean;
  log(): string;
  /** Settles with the exit code once it is gone; after `graceMs` it is killed. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<number | null>;
  /** Waits until `ready` says so. @throws with the log when the program ends or time is over */
  ready(ready: () => Promise<boolean>, timeoutMs?: number): Promise<void>;
}

export interface ServiceOptions {
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function startService(command: string, args: readonly string[], options: ServiceOptions): Service {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const log = createWriteStream(options.logFile, { flags: 'a' });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      log.end(`${error.message}\n`);
      resolve(null);
    });
    child.once('exit', (code) => resolve(code));
  });
  // Later than its exit when a child of its own still holds the streams.
  child.once('close', () => log.end());
  const written = once(log, 'close');
  const over = () => child.exitCode !== null || child.signalCode !== null;
  const service: Service = {
    process: child,
    get running() {
      return child.pid !== undefined && !over();
    },
    log: () => readFileSync(options.logFile, 'utf8'),
    stop: async (signal = 'SIGTERM', graceMs = 60_000) => {
      if (!over()) child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
    ready: async (ready, timeoutMs = 240_000) => {
      const until = Date.now() + timeoutMs;
      while (!(await ready().catch(() => false))) {
        if (!service.running) {
          // What it said last may still be on its way into the file.
          await Promise.race([written, sleep(10_000, undefined, { ref: false })]);
          throw new Error(`${command} ended:\n${service.log().slice(-6000)}`);
        }
        if (Date.now() > until) {
          child.kill('SIGKILL');
          throw new Error(`${command} is not ready:\n${service.log().slice(-6000)}`);
        }
        await sleep(100);
      }
    },
    [Symbol.asyncDispose]: async () => void (await service.stop()),
  };
  return service;
}
