import { constants as os } from 'node:os';
import type { Readable } from 'node:stream';
import { type AbortOptions, CodedError, invalidArgument } from '../../base/index.ts';
import { statusOfError, type wire } from '../../builder-api/index.ts';
import { describeEnd, type Process, type ProcessEnd } from '../executor/index.ts';
import { buildkitCode } from '../protocol/index.ts';

type ExecMessage = wire.moby.buildkit.v1.frontend.ExecMessage.$Properties;
type Init = wire.moby.buildkit.v1.frontend.InitMessage.$Properties;

/** Output that a client has not taken yet, and input that a process has not: from there on the other side is held back. */
const MAX_WAITING = 1 << 20;
/** Of one message. */
const PIECE = 32 << 10;
/** Processes of one stream at once. */
const MAX_PROCESSES = 256;
/** Exit code of what could not be run. */
const UNKNOWN_EXIT = 255;

/**
 * LLBBridge's ExecProcess: many processes over one stream, each with its id. When the stream ends, so do they.
 * `start` starts one.
 */
export async function* execProcesses(
  requests: AsyncIterable<ExecMessage>,
  start: (init: Init, options: AbortOptions) => Promise<Process>,
): AsyncGenerator<ExecMessage> {
  const outbox = new Outbox();
  const processes = new Map<string, RunningProcess>();
  const ended = new AbortController();
  const end = () => {
    ended.abort(new CodedError('cancelled', 'the stream of the process ended'));
    for (const process of processes.values()) process.kill();
  };
  const handle = async (message: ExecMessage) => {
    const id = message.processId ?? '';
    const known = processes.get(id);
    if (message.init == null) {
      if (known === undefined) throw invalidArgument(`no process ${JSON.stringify(id)} was started`);
      await known.deliver(message);
      return;
    }
    if (known?.isRunning) throw invalidArgument(`process ${JSON.stringify(id)} was started already`);
    if (processes.size >= MAX_PROCESSES)
      for (const [old, { isRunning }] of processes) if (!isRunning) processes.delete(old);
    if (processes.size >= MAX_PROCESSES) {
      throw new CodedError('resource_exhausted', `${MAX_PROCESSES} processes at once`, { fault: 'user' });
    }
    const { init } = message;
    const fds = new Set(init.fds ?? []);
    processes.set(id, new RunningProcess(id, fds, () => start(init, { signal: ended.signal }), outbox));
  };
  const reading = (async () => {
    for await (const message of requests) await handle(message);
  })();
  reading.then(
    () => {
      end();
      void Promise.all([...processes.values()].map(({ over }) => over)).then(() => outbox.close());
    },
    (error: unknown) => outbox.close(error),
  );
  try {
    yield* outbox.messages();
  } finally {
    end();
    outbox.close();
  }
}

/** One process of a stream. */
class RunningProcess {
  /** Never rejects. */
  readonly over: Promise<void>;
  readonly #id: string;
  readonly #fds: ReadonlySet<number>;
  readonly #started: Promise<Process>;
  readonly #outbox: Outbox;
  #isRunning = true;

  constructor(id: string, fds: ReadonlySet<number>, start: () => Promise<Process>, outbox: Outbox) {
    this.#id = id;
    this.#fds = fds;
    this.#outbox = outbox;
    // Clients take nothing else for an answer; why it could not be started is told as its end.
    void this.#send({ started: {} });
    this.#started = start();
    this.#started.catch(() => {});
    this.over = this.#serve().finally(() => {
      this.#isRunning = false;
    });
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  kill(): void {
    void this.#started.then((process) => process.signal('SIGKILL')).catch(() => {});
  }

  /** What the client says to it. Nothing once it has ended. */
  async deliver({ file, resize, signal }: ExecMessage): Promise<void> {
    const name = signal?.name === undefined ? undefined : (`SIG${signal.name}` as NodeJS.Signals);
    if (name !== undefined && !(name in os.signals)) throw invalidArgument(`unknown signal ${signal?.name}`);
    const process = await this.#started.catch(() => undefined);
    if (process === undefined || !this.#isRunning) return;
    if (resize != null) process.resize({ rows: bounded(resize.rows), columns: bounded(resize.cols) });
    if (name !== undefined) void process.signal(name);
    const { stdin } = process;
    if (file == null || stdin === undefined || stdin.destroyed || stdin.writableEnded) return;
    if (file.data?.length) {
      const written = Promise.withResolvers<unknown>();
      stdin.write(file.data, written.resolve);
      if (stdin.writableLength > MAX_WAITING) await Promise.race([written.promise, process.exited]);
    }
    if (file.eof === true) stdin.end();
  }

  async #serve(): Promise<void> {
    let outputs: Promise<unknown> | undefined;
    try {
      const process = await this.#started;
      outputs = Promise.all([this.#pump(1, process.stdout), this.#pump(2, process.stderr)]);
      const end = await process.exited;
      const error = end.exitCode === 0 ? {} : { error: statusOfError(failureOf(end), buildkitCode) };
      await this.#send({ exit: { code: end.exitCode, ...error } });
    } catch (error) {
      await this.#send({ exit: { code: UNKNOWN_EXIT, error: statusOfError(error, buildkitCode) } });
    }
    await outputs;
    await this.#send({ done: {} });
  }

  /** What nobody asked for is read all the same. */
  async #pump(fd: number, stream: Readable | undefined): Promise<void> {
    try {
      for await (const chunk of (stream ?? []) as AsyncIterable<Buffer>) {
        if (!this.#fds.has(fd)) continue;
        for (let at = 0; at < chunk.length; at += PIECE)
          await this.#send({ file: { fd, data: chunk.subarray(at, at + PIECE) } });
      }
    } catch {
      // It ended with its container: so did what it had to say.
    }
    if (this.#fds.has(fd)) await this.#send({ file: { fd, eof: true } });
  }

  #send(message: ExecMessage): Promise<void> {
    return this.#outbox.push({ ...message, processId: this.#id });
  }
}

/** Of a terminal: the kernel has 16 bits. */
function bounded(size: number | null | undefined): number {
  return Math.min(size ?? 0, 65_535);
}

function failureOf(end: ProcessEnd): CodedError {
  const { words, details } = describeEnd(end.exitCode, end);
  return new CodedError('unknown', words, { fault: 'user', details });
}

/** Messages on their way to the client; who pushes is held back while much is waiting. */
class Outbox {
  #waiting: ExecMessage[] = [];
  #bytes = 0;
  #closed = false;
  #error: unknown;
  #news = Promise.withResolvers<void>();
  #room = Promise.withResolvers<void>();

  async push(message: ExecMessage): Promise<void> {
    while (!this.#closed && this.#bytes > MAX_WAITING) await this.#room.promise;
    if (this.#closed) return;
    this.#waiting.push(message);
    this.#bytes += message.file?.data?.length ?? 0;
    this.#news.resolve();
  }

  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#news.resolve();
    this.#room.resolve();
  }

  async *messages(): AsyncGenerator<ExecMessage> {
    while (true) {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        yield next;
        this.#bytes -= next.file?.data?.length ?? 0;
        this.#room.resolve();
        this.#room = Promise.withResolvers();
      }
      if (this.#closed) {
        if (this.#error !== undefined) throw this.#error;
        return;
      }
      this.#news = Promise.withResolvers();
      await this.#news.promise;
    }
  }
}
