import { createHash, type Hash } from 'node:crypto';
import { openLibrary } from './native.ts';

interface Digests {
  /** @returns an address; 0 where there is none */
  readonly begin: () => bigint;
  readonly update: Update;
  readonly finish: (context: bigint, output: Uint8Array) => number;
  readonly free: (context: bigint) => void;
}

interface Update {
  (context: bigint, bytes: Uint8Array, length: number): number;
  /** It computes and never waits, so it may have one of libuv's threads. */
  async(context: bigint, bytes: Uint8Array, length: number, done: (error: unknown, result: number) => void): void;
}

/** Bytes that wait to be hashed. */
const WINDOW = 4 << 20;
/** What is hashed in less time than it takes to hand it on. */
const FEW = 64 << 10;

/** Of the OpenSSL that is in Node, loaded and tried once a thread; null where Node does not show it. */
let library: Digests | null | undefined;

function loadLibrary(): Digests | null {
  if (library !== undefined) return library;
  try {
    const node = openLibrary(null);
    const make = node.func('uintptr_t EVP_MD_CTX_new()');
    const algorithm = node.func('uintptr_t EVP_sha256()');
    const init = node.func('int EVP_DigestInit_ex(uintptr_t, uintptr_t, uintptr_t)');
    const finish = node.func('int EVP_DigestFinal_ex(uintptr_t, void*, void*)');
    const free = node.func('void EVP_MD_CTX_free(uintptr_t)');
    const loaded: Digests = {
      begin: () => {
        const context = BigInt(make());
        if (context === 0n || init(context, algorithm(), 0) === 1) return context;
        free(context);
        return 0n;
      },
      update: node.func('int EVP_DigestUpdate(uintptr_t, const void*, size_t)'),
      finish: (context, output) => finish(context, output, null),
      free,
    };
    library = passesTrial(loaded) ? loaded : null;
  } catch {
    library = null;
  }
  return library;
}

function passesTrial({ begin, update, finish, free }: Digests): boolean {
  const context = begin();
  if (context === 0n) return false;
  const [sample, output] = [Buffer.alloc(1000, 'sample'), Buffer.alloc(32)];
  const isDone = [update(context, sample, 400), update(context, sample.subarray(400), 600), finish(context, output)];
  free(context);
  return isDone.every((one) => one === 1) && createHash('sha256').update(sample).digest().equals(output);
}

interface Part {
  readonly bytes: Uint8Array;
  readonly done: (() => void) | undefined;
}

/** A SHA-256 of what comes in parts, in order: made beside the calling thread, on one of libuv's, where that can be; while `isAlone` says so, on the calling thread. For workers. */
export class Sha256 implements Disposable {
  readonly #isAlone: () => boolean;
  readonly #aside: { readonly lib: Digests; readonly context: bigint } | undefined;
  /** Where there is nothing to do it aside. */
  readonly #here: Hash | undefined;
  /** In their order; the first is being hashed. What is little is hashed at once when it is its turn. */
  readonly #parts: Part[] = [];
  #waiting = 0;
  #failed = false;
  #disposed = false;
  #wake = () => {};

  constructor(isAlone = () => false) {
    this.#isAlone = isAlone;
    const lib = loadLibrary();
    const context = lib?.begin() ?? 0n;
    if (lib === null || context === 0n) this.#here = createHash('sha256');
    else this.#aside = { lib, context };
  }

  /** Takes the bytes over until `done` says that they are needed no more. */
  update(bytes: Uint8Array, done?: () => void): void {
    this.#parts.push({ bytes, done });
    this.#waiting += bytes.length;
    if (this.#parts.length === 1) this.#next();
  }

  /** Whom there is no room for more, waits for it. */
  room(): Promise<void> | undefined {
    return this.#waiting > WINDOW ? this.#until(() => this.#waiting <= WINDOW) : undefined;
  }

  /** As hex. */
  async digest(): Promise<string> {
    await this.#until(() => this.#parts.length === 0);
    if (this.#aside === undefined) return this.#here?.digest('hex') ?? '';
    const output = Buffer.alloc(32);
    this.#check(this.#aside.lib.finish(this.#aside.context, output) === 1);
    return output.toString('hex');
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#parts.splice(1);
    // Else when the thread that hashes is done.
    if (this.#parts.length === 0) this.#free();
  }

  #free(): void {
    this.#aside?.lib.free(this.#aside.context);
  }

  #next(): void {
    for (let [part] = this.#parts; part !== undefined; [part] = this.#parts) {
      const { bytes } = part;
      if (this.#aside !== undefined && bytes.length > FEW && !this.#isAlone()) {
        const { lib, context } = this.#aside;
        lib.update.async(context, bytes, bytes.length, (error, result) => {
          if (this.#disposed) this.#free();
          else {
            this.#hashed(!error && result === 1);
            this.#next();
            this.#wake();
          }
        });
        return;
      }
      this.#hashed(this.#updateHere(bytes));
    }
  }

  #updateHere(bytes: Uint8Array): boolean {
    if (this.#aside !== undefined) return this.#aside.lib.update(this.#aside.context, bytes, bytes.length) === 1;
    this.#here?.update(bytes);
    return true;
  }

  #hashed(isDone: boolean): void {
    const part = this.#parts.shift();
    this.#waiting -= part?.bytes.length ?? 0;
    this.#failed ||= !isDone;
    part?.done?.();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.#failed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    this.#check(!this.#failed);
  }

  #check(isDone: boolean): void {
    if (!isDone) throw new Error('SHA-256 cannot be computed');
  }
}
