import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { Process } from '../index.ts';

/** What every process is for whoever has it: three streams, signals and an end. `echoing` starts one that writes what it reads to its output and ends with that. */
export function processSuite(name: string, echoing: () => Promise<Process>): void {
  test(`${name}: what it is given it says, and it ends with its input`, async () => {
    const process = await echoing();
    process.stdin!.write('one ');
    process.stdin!.end('two');
    expect(await process.exited).toMatchObject({ exitCode: 0 });
    // Output may be read late; what was not asked for says nothing.
    expect(await text(process.stdout)).toBe('one two');
    expect(process.stderr === undefined ? '' : await text(process.stderr)).toBe('');
  });

  test(`${name}: one whose output is not read is held back`, async () => {
    const process = await echoing();
    const total = 16 << 20;
    let taken = 0;
    for (; taken < total; taken += 64 << 10) {
      if (process.stdin!.write(Buffer.alloc(64 << 10))) continue;
      const drained = once(process.stdin!, 'drain').then(() => true);
      const stuck = new Promise<false>((resolve) => setTimeout(() => resolve(false), 200));
      if (!(await Promise.race([drained, stuck]))) break;
    }
    expect(taken).toBeLessThan(total);
    let got = 0;
    process.stdin!.end();
    for await (const chunk of process.stdout as AsyncIterable<Buffer>) got += chunk.length;
    expect(got).toBe(taken + (64 << 10));
    expect(await process.exited).toMatchObject({ exitCode: 0 });
  });

  test(`${name}: a signal ends it, and one to what is over is nothing; its size is nobody's concern without a terminal`, async () => {
    const process = await echoing();
    process.resize({ rows: 1, columns: 2 });
    await process.signal('SIGKILL');
    process.stdin!.on('error', () => {});
    expect(await process.exited).toMatchObject({ exitCode: 137 });
    expect(await text(process.stdout)).toBe('');
    await process.signal('SIGTERM');
    process.resize({ rows: 3, columns: 4 });
    expect(await process.exited).toMatchObject({ exitCode: 137 });
  });
}
