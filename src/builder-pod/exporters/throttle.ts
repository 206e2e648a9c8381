import { type AbortOptions, sleep } from '../../base/index.ts';
import type { LayerSource } from './layer-source.ts';

/** Bytes a second that go ahead of an export, while steps run. */
export const AHEAD_BANDWIDTH = 32 << 20;

interface Slowness {
  /** Nothing is held back any more once this fires. */
  readonly hurry: AbortSignal;
}

/** Bytes that go out while builds do other things: so many a second, all together. */
export class Throttle {
  readonly #bytesPerMs: number;
  /** When all that was let through has had its time. */
  #freeAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** The layer, whose bytes come no faster than they may. */
  slowed(layer: LayerSource, slowness: Slowness): LayerSource {
    if (!Number.isFinite(this.#bytesPerMs)) return layer;
    return {
      ...layer,
      open: async (access) => {
        const stream = await layer.open(access);
        const slow = new TransformStream<Uint8Array, Uint8Array>({
          transform: async (chunk, controller) => {
            await this.#pass(chunk.length, { ...slowness, signal: access.signal });
            controller.enqueue(chunk);
          },
        });
        return stream.pipeThrough(slow);
      },
    };
  }

  async #pass(bytes: number, { signal, hurry }: Slowness & AbortOptions): Promise<void> {
    const now = performance.now();
    const wait = Math.max(0, this.#freeAt - now);
    this.#freeAt = Math.max(this.#freeAt, now) + bytes / this.#bytesPerMs;
    if (wait > 0 && !hurry.aborted)
      await sleep(wait, { signal: AbortSignal.any([signal, hurry]) }).catch(() => signal.throwIfAborted());
  }
}
