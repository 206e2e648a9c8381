import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { addressOf, openLibrary } from './native.ts';

/** Offsets in `struct isal_zstream` (ISA-L 2.x, include/igzip_lib.h) on 64-bit machines; its size is that of 2.30. */
const STREAM = {
  size: 82_384,
  nextIn: 0,
  availIn: 8,
  nextOut: 16,
  availOut: 24,
  level: 40,
  levelBufferSize: 44,
  levelBuffer: 48,
  endOfStream: 56,
  flush: 58,
} as const;

/** Room for later 2.x versions, whose struct may have grown. */
const STREAM_ROOM = STREAM.size + (1 << 16);
const LEVEL_BUFFER_SIZE: Readonly<Record<IsalLevel, number>> = { 1: 282_624, 2: 331_776 };
const SYNC_FLUSH = 1;
/** Longest input of one call and longest dictionary, in bytes. */
export const ISAL_BLOCK = 1 << 18;
export const ISAL_DICTIONARY = 1 << 15;
/** Incompressible data is stored: some bytes for each 64 KiB, and the flush. */
const OUT_ROOM = ISAL_BLOCK + (ISAL_BLOCK >> 3) + 4096;

/** Level 3 is left out: its bytes differ between processors. */
export type IsalLevel = 1 | 2;

/** Raw deflate of single blocks by ISA-L (libisal), on libuv's threads: for workers, which go on meanwhile. One instance a thread. */
interface IsalDeflater {
  /** Names the library's version, the level and what it makes of a sample: equal ids make equal bytes. */
  readonly id: string;
  /**
   * Deflates up to {@link ISAL_BLOCK} bytes after `dictionary` (the up to 32 KiB before them), byte-aligned by a sync flush, without a final
   * block. What is given is copied at once. Each call that is under way at the same time has a megabyte of its own, kept for later ones.
   */
  deflate(input: Uint8Array, dictionary?: Uint8Array): Promise<Uint8Array>;
  /** The same, on the thread that calls it. */
  deflateHere(input: Uint8Array, dictionary?: Uint8Array): Uint8Array;
}

interface IsalLibrary {
  readonly init: (stream: Uint8Array) => void;
  readonly setDictionary: (stream: Uint8Array, dictionary: Uint8Array, length: number) => number;
  readonly deflate: Deflate;
  readonly version: string;
}

interface Deflate {
  (stream: Uint8Array): number;
  /** It computes and never waits, so it may have one of libuv's threads. */
  async(stream: Uint8Array, done: (error: unknown, result: number) => void): void;
}

/** Loaded once a thread; null where it is missing. */
let library: IsalLibrary | null | undefined;

function loadLibrary(): IsalLibrary | null {
  if (library !== undefined) return library;
  try {
    const lib = openLibrary('libisal.so.2');
    library = {
      init: lib.func('void isal_deflate_init(void*)'),
      setDictionary: lib.func('int isal_deflate_set_dict(void*, void*, uint32_t)'),
      deflate: lib.func('int isal_deflate(void*)'),
      version: loadedVersion(),
    };
  } catch {
    // Not installed, or without these functions: the caller has another way.
    library = null;
  }
  return library;
}

/** The library tells its version only in its file's name, e.g. `libisal.so.2.0.30`. */
function loadedVersion(): string {
  const path = /\S*libisal\.so\S*/.exec(readFileSync('/proc/self/maps', 'latin1'))?.[0] ?? '';
  return basename(path).replace(/^libisal\.so\.?/, '') || 'unknown';
}

const deflaters = new Map<IsalLevel, IsalDeflater | null>();

/** This thread's deflater, or undefined where the library is missing or fails a trial compression. */
export function openIsalDeflater(level: IsalLevel): IsalDeflater | undefined {
  const known = deflaters.get(level);
  if (known !== undefined) return known ?? undefined;
  const lib = loadLibrary();
  const made = lib === null ? undefined : tryDeflater(lib, level);
  deflaters.set(level, made ?? null);
  return made;
}

function tryDeflater(lib: IsalLibrary, level: IsalLevel): IsalDeflater | undefined {
  try {
    const first = new DeflateState(lib, level);
    const sample = trialSample();
    const dictionary = sample.subarray(0, ISAL_DICTIONARY);
    const input = sample.subarray(ISAL_DICTIONARY);
    first.begin(input, dictionary);
    const output = first.end(lib.deflate(first.stream));
    const whole = Buffer.concat([output, Buffer.from([0x03, 0x00])]);
    if (!inflateRawSync(whole, { dictionary }).equals(input)) return undefined;
    const id = `isal-${lib.version}-l${level}-${hash('sha256', output, 'hex').slice(0, 8)}`;
    const idle = [first];
    return {
      id,
      deflate: async (data, dictionary) => {
        const state = idle.pop() ?? new DeflateState(lib, level);
        try {
          state.begin(data, dictionary);
          return state.end(await deflateAside(lib, state.stream));
        } finally {
          idle.push(state);
        }
      },
      deflateHere: (data, dictionary) => {
        const state = idle.pop() ?? new DeflateState(lib, level);
        try {
          state.begin(data, dictionary);
          return state.end(lib.deflate(state.stream));
        } finally {
          idle.push(state);
        }
      },
    };
  } catch {
    // A library whose struct differs fails here and not in a layer.
    return undefined;
  }
}

function deflateAside(lib: IsalLibrary, stream: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    lib.deflate.async(stream, (error, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
}

/** The struct and memory of one call. Off-heap memory does not move, so the addresses written into the struct stay right while these buffers are referenced. */
class DeflateState {
  readonly stream = Buffer.alloc(STREAM_ROOM);
  readonly #lib: IsalLibrary;
  readonly #level: IsalLevel;
  readonly #levelBuffer: Buffer;
  readonly #input = Buffer.allocUnsafeSlow(ISAL_BLOCK);
  readonly #output = Buffer.allocUnsafeSlow(OUT_ROOM);
  readonly #dictionary = Buffer.allocUnsafeSlow(ISAL_DICTIONARY);

  constructor(lib: IsalLibrary, level: IsalLevel) {
    this.#lib = lib;
    this.#level = level;
    this.#levelBuffer = Buffer.allocUnsafeSlow(LEVEL_BUFFER_SIZE[level]);
  }

  begin(data: Uint8Array, dictionary: Uint8Array | undefined): void {
    if (data.length > ISAL_BLOCK) throw new RangeError(`a block has at most ${ISAL_BLOCK} bytes, not ${data.length}`);
    const { stream } = this;
    this.#input.set(data);
    this.#lib.init(stream);
    stream.writeUInt32LE(this.#level, STREAM.level);
    stream.writeUInt32LE(this.#levelBuffer.length, STREAM.levelBufferSize);
    stream.writeBigUInt64LE(addressOf(this.#levelBuffer), STREAM.levelBuffer);
    stream.writeUInt16LE(0, STREAM.endOfStream);
    stream.writeUInt16LE(SYNC_FLUSH, STREAM.flush);
    if (dictionary !== undefined && dictionary.length > 0) {
      this.#dictionary.set(dictionary);
      const result = this.#lib.setDictionary(stream, this.#dictionary, dictionary.length);
      if (result !== 0) throw new Error(`isal_deflate_set_dict failed: ${result}`);
    }
    stream.writeBigUInt64LE(addressOf(this.#input), STREAM.nextIn);
    stream.writeUInt32LE(data.length, STREAM.availIn);
    stream.writeBigUInt64LE(addressOf(this.#output), STREAM.nextOut);
    stream.writeUInt32LE(this.#output.length, STREAM.availOut);
  }

  /** What came out, as bytes of their own. */
  end(result: number): Buffer {
    const left = this.stream.readUInt32LE(STREAM.availIn);
    const room = this.stream.readUInt32LE(STREAM.availOut);
    if (result !== 0 || left !== 0 || room === 0 || room > this.#output.length)
      throw new Error(`isal_deflate failed: ${result}, ${left} bytes of input left`);
    return Buffer.from(this.#output.subarray(0, this.#output.length - room));
  }
}

/** Compressible and incompressible stretches, the same on every machine. */
function trialSample(): Buffer {
  const sample = Buffer.alloc(ISAL_DICTIONARY + (96 << 10));
  let state = 0x2545f491;
  for (let i = 0; i < sample.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const region = (i >> 13) % 3;
    sample[i] = region === 0 ? state >>> 24 : region === 1 ? (state >>> 28) + 0x61 : (sample[i - 4099] ?? i & 0xff);
  }
  return sample;
}
