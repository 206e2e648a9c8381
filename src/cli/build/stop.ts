import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CodedError, sleep } from '../../base/index.ts';
import type { CliIo } from '../io.ts';
import { answers, privateRoot, privateSocket } from './private-builder.ts';

/** Ends the private builder by SIGTERM and waits until it is gone; false when none runs. */
export async function stopPrivateBuilder(io: CliIo): Promise<boolean> {
  const root = privateRoot(io);
  if (!(await answers(`unix://${privateSocket(root)}`, io))) return false;
  const pid = Number(readFileSync(path.join(root, 'builderd.pid'), 'utf8'));
  process.kill(pid, 'SIGTERM');
  for (let tries = 0; tries < 300; tries++) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await sleep(100, io);
  }
  throw new CodedError('deadline_exceeded', `the builder (pid ${pid}) did not end within 30 s`, {
    hint: 'it may be ending a step; see its log',
  });
}
