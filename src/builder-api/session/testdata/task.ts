import { CodedError, newId, onAbort } from '../../../base/index.ts';
import { clientOf } from '../../grpc/channel.ts';
import { Secrets } from '../../services/session-side.ts';
import type { SessionTaskContext } from '../session-thread.ts';

export async function ask(id: string, context: SessionTaskContext): Promise<string> {
  context.post('asking');
  const answer = await clientOf(Secrets, context.channel).getSecret({ id }, { signal: context.signal });
  return `secret ${Buffer.from(answer.data ?? []).toString()}`;
}

export const askCaller = async (_args: unknown, context: SessionTaskContext): Promise<string> =>
  `${await context.ask<string>()} and ${await context.ask<string>()}`;

const THIS_THREAD = newId();

export const whichThread = (): string => THIS_THREAD;

export function spin(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

export function exit(): never {
  process.exit(3);
}

export async function failLate(_args: unknown, { signal }: SessionTaskContext): Promise<void> {
  setImmediate(() => {
    throw new Error('late');
  });
  using aborted = onAbort(signal);
  await aborted.promise;
}

export function fail(): never {
  throw CodedError.of('CONTENT_DIGEST_MISMATCH', 'no good');
}

let hanging = 0;

export async function hang(_args: unknown, { signal }: SessionTaskContext): Promise<void> {
  using aborted = onAbort(signal);
  hanging++;
  try {
    await aborted.promise;
  } finally {
    hanging--;
  }
}

export const howManyHang = (): number => hanging;
