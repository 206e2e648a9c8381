import type { ThreadPort } from '../threads/thread.ts';

/** Loads machine code, then calls it without end: what it is given says when it has begun. */
export async function start(port: ThreadPort<never, 'works'>, begun: Int32Array<SharedArrayBuffer>): Promise<void> {
  Atomics.store(begun, 0, 1);
  const { libc } = await import('../libc.ts');
  const { openIsalDeflater } = await import('../isal.ts');
  const deflater = openIsalDeflater(1);
  const block = Buffer.alloc(1 << 14, 'what a block consists of ');
  const many = Array.from({ length: 100 }, (_, n) => `argument ${n}`);
  const pid = new Int32Array(1);
  port.post('works');
  for (;;) {
    await Promise.all([1, 2].map(() => deflater?.deflate(block)));
    for (let n = 0; n < 10; n++) {
      libc.posixSpawn(pid as never, '/no/such/program', null, null, [...many, null], [null]);
      libc.getsockopt(-1, 0, 0, pid, pid);
    }
  }
}
