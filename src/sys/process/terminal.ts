import { closeSync, constants, openSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { O_CLOEXEC } from '../dir.ts';
import { check, hasErrno, libc } from '../libc.ts';

const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTPEER = 0x5441;
const TIOCSWINSZ = 0x5414;

/** A pseudo terminal: `child` is for the three descriptors of a process, the streams are whoever sits before it. */
export interface Terminal extends Disposable {
  readonly child: number;
  /** Ends when no process has the terminal any more. */
  readonly output: Readable;
  readonly input: Writable;
  resize(rows: number, columns: number): void;
  /** Ours of the child's descriptor, once the child has its own: else the output never ends. */
  closeChild(): void;
}

export function openTerminal(): Terminal {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = openSync('/dev/ptmx', flags | O_CLOEXEC);
  let child: number | undefined;
  try {
    check(libc.ioctlPointer(master, TIOCSPTLCK, new Int32Array(1)), 'ioctl TIOCSPTLCK');
    child = check(libc.ioctlNumber(master, TIOCGPTPEER, flags | O_CLOEXEC), 'ioctl TIOCGPTPEER');
  } catch (error) {
    closeSync(master);
    throw error;
  }
  const stream = new ReadStream(master);
  // Told to whoever reads; without a reader it is nobody's.
  stream.on('error', () => {});
  const closeChild = () => {
    if (child !== undefined) closeSync(child);
    child = undefined;
  };
  const output = Readable.from(untilHungUp(stream), { objectMode: false });
  return {
    child,
    output,
    input: new Writable({
      write: (chunk: Uint8Array, _, done) => void stream.write(chunk, done),
    }).on('error', () => {}),
    resize: (rows, columns) => {
      if (stream.destroyed) return;
      const size = new Uint16Array([rows, columns, 0, 0]);
      check(libc.ioctlPointer(master, TIOCSWINSZ, size), 'ioctl TIOCSWINSZ');
    },
    closeChild,
    [Symbol.dispose]: () => {
      closeChild();
      stream.destroy();
      output.destroy();
    },
  };
}

/** A terminal that its last process has left fails every read. */
async function* untilHungUp(stream: ReadStream): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    if (!hasErrno(error, 'EIO', 'ERR_STREAM_PREMATURE_CLOSE')) throw error;
  }
}
