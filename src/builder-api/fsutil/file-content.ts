import { readSync, writeSync } from 'node:fs';

export function writeAll(fd: number, data: Uint8Array): void {
  for (let at = 0; at < data.length; ) at += writeSync(fd, data, at, data.length - at);
}

/** Whether these bytes stand there. */
export function holdsAt(fd: number, position: number, data: Uint8Array): boolean {
  const there = Buffer.allocUnsafe(data.length);
  for (let at = 0; at < data.length; ) {
    const size = readSync(fd, there, at, data.length - at, position + at);
    if (size === 0) return false;
    at += size;
  }
  return there.equals(data);
}
