import type { Digest } from '../../base/index.ts';
import type { ProgressEvent, ProgressModel } from './model.ts';
import { formatBytes, formatSeconds, printable, truncate } from './text.ts';

/** Characters of why a step missed the cache: a path in it may be of any length. */
const MOST_REASON = 200;

/** Line by line, for logs and pipes: the form that readers of `--progress=plain` know. */
export class PlainProgress {
  readonly #model: ProgressModel;
  readonly #write: (text: string) => void;
  readonly #announced = new Set<Digest>();
  readonly #ended = new Map<Digest, number>();
  /** Why steps missed that are not announced yet. */
  readonly #missed = new Map<Digest, string>();
  readonly #partial = new Map<string, string>();

  constructor(model: ProgressModel, write: (text: string) => void) {
    this.#model = model;
    this.#write = write;
  }

  event(event: ProgressEvent): void {
    const step = this.#model.apply(event);
    if (step === undefined) return;
    const tag = `#${step.number}`;
    const { digest, started, completed, cached, error, name } = step.state;
    if (started !== undefined && !this.#announced.has(digest)) {
      this.#announced.add(digest);
      this.#write(`${tag} ${printable(name)}\n`);
    }
    // What is asked for in every build anyway is no news.
    if (event.kind === 'missed' && event.cause !== 'unkeyed') this.#missed.set(digest, event.short || event.text);
    const reason = this.#missed.get(digest);
    if (reason && this.#announced.has(digest)) {
      this.#missed.delete(digest);
      this.#write(`${tag} not cached: ${truncate(printable(reason), MOST_REASON)}\n`);
    }
    if (event.kind === 'log')
      this.#log(digest, tag, event.timestamp - (started ?? event.timestamp), event.stream, event.data);
    if (event.kind === 'status' && event.completed !== undefined) {
      const size =
        event.total > 0
          ? ` ${formatBytes(event.current)} / ${formatBytes(event.total)}`
          : event.current > 0
            ? ` ${formatBytes(event.current)}`
            : '';
      const time = event.started === undefined ? '' : ` ${formatSeconds(event.completed - event.started)}`;
      this.#write(`${tag} ${printable(event.id)}${size}${time} done\n`);
    }
    if (event.kind === 'warning') this.#write(`${tag} WARN: ${printable(event.warning.short)}\n`);
    // That a step which was said to be done is used from the cache is no news.
    const told = this.#ended.get(digest);
    const isNews = told !== completed && !(told !== undefined && cached);
    if (completed !== undefined && isNews && started !== undefined) {
      this.#ended.set(digest, completed);
      this.#flush(digest, tag);
      if (error)
        this.#write(`${tag} ${error.includes('context canceled') ? 'CANCELED' : `ERROR: ${printable(error)}`}\n`);
      else this.#write(cached ? `${tag} CACHED\n` : `${tag} DONE ${formatSeconds(completed - started)}\n`);
      this.#write('\n');
    }
  }

  end(): void {
    for (const step of this.#model.steps.values()) this.#flush(step.state.digest, `#${step.number}`);
  }

  #log(digest: Digest, tag: string, at: number, stream: number, data: Uint8Array): void {
    const key = `${digest}/${stream}`;
    const lines = ((this.#partial.get(key) ?? '') + Buffer.from(data).toString('utf8')).split('\n');
    this.#partial.set(key, lines.pop() ?? '');
    for (const line of lines) this.#write(`${tag} ${(Math.max(0, at) / 1000).toFixed(3)} ${printable(line)}\n`);
  }

  #flush(digest: Digest, tag: string): void {
    for (const stream of [1, 2]) {
      const rest = this.#partial.get(`${digest}/${stream}`);
      this.#partial.delete(`${digest}/${stream}`);
      if (rest) this.#write(`${tag} ${printable(rest)}\n`);
    }
  }
}
