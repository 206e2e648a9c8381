import { newId } from '../../../base/index.ts';
import type { BuilderClient } from '../../../builder-api/client/index.ts';
import type { CallOptions, wire } from '../../../builder-api/index.ts';

type Init = wire.moby.buildkit.v1.frontend.InitMessage.$Properties;

/** One process as its client sees it. */
interface SeenProcess {
  readonly id: string;
  /** Of both outputs together, as it came. */
  said(): string;
  /** Resolves once it has said this. */
  until(text: string): Promise<void>;
  write(data: string): void;
  eof(): void;
  signal(name: string): void;
  resize(rows: number, cols: number): void;
  /** The exit message, once all is done. */
  readonly done: Promise<{ readonly code: number; readonly error: string }>;
}

/** A client of ExecProcess: many processes over one call. */
export function openExecStream(gateway: BuilderClient['gateway'], options: CallOptions) {
  const call = gateway.execProcess(options);
  const processes = new Map<string, (message: wire.moby.buildkit.v1.frontend.ExecMessage) => void>();
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  ended.catch(() => {});
  const failed: ((error: unknown) => void)[] = [];
  (async () => {
    for await (const message of call.responses) processes.get(message.processId)?.(message);
  })().then(resolve, (error: unknown) => {
    reject(error);
    for (const tell of failed) tell(error);
  });
  return {
    ended,
    end: () => call.end(),
    send: (message: wire.moby.buildkit.v1.frontend.ExecMessage.$Properties) => void call.write(message),
    start(init: Init): SeenProcess {
      const processId = newId();
      let text = '';
      let exit = { code: -1, error: '' };
      let news = Promise.withResolvers<void>();
      const done = Promise.withResolvers<typeof exit>();
      done.promise.catch(() => {});
      failed.push(done.reject);
      processes.set(processId, (message) => {
        if (message.file?.data?.length) text += Buffer.from(message.file.data).toString();
        if (message.exit != null) exit = { code: message.exit.code ?? 0, error: message.exit.error?.message ?? '' };
        if (message.done != null) done.resolve(exit);
        news.resolve();
      });
      void call.write({ processId, init });
      return {
        id: processId,
        said: () => text,
        until: async (wanted) => {
          while (!text.includes(wanted)) {
            news = Promise.withResolvers();
            await Promise.race([
              news.promise,
              done.promise.then(() => Promise.reject(new Error(`it only said ${text}`))),
            ]);
          }
        },
        write: (data) => void call.write({ processId, file: { fd: 0, data: Buffer.from(data) } }),
        eof: () => void call.write({ processId, file: { fd: 0, eof: true } }),
        signal: (name) => void call.write({ processId, signal: { name } }),
        resize: (rows, cols) => void call.write({ processId, resize: { rows, cols } }),
        done: done.promise,
      };
    },
  };
}
