import { Socket } from 'node:net';
import { O_CLOEXEC } from '../dir.ts';
import { check, libc } from '../libc.ts';

/** A pipe whose both ends close on exec. */
export function pipe(): { readonly read: number; readonly write: number } {
  const fds = new Int32Array(2);
  check(libc.pipe2(fds, O_CLOEXEC), 'pipe2');
  return { read: fds[0] as number, write: fds[1] as number };
}

/** A stream on our end of a pipe, driven by epoll and not by libuv's threads. Owns the descriptor. */
export function pipeStream(fd: number, direction: 'read' | 'write'): Socket {
  return new Socket({ fd, readable: direction === 'read', writable: direction === 'write' });
}
