import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import koffi from 'koffi';

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

/** Raw deflate of single blocks by ISA-L (libisal), synchronous: for workers. One instance a thread. */
export interface IsalDeflater {
  /** Names the library's version, the level and what it makes of a sample: equal ids make equal bytes. */
  readonly id: string;
  /**
   * Deflates up to {@link ISAL_BLOCK} bytes after `dictionary` (the up to 32 KiB before them), byte-aligned by a sync flush, without a final
   * block. The result is borrowed until the next call.
   */
  deflate(input: Uint8Array, dictionary?: Uint8Array): Uint8Array;
}

interface IsalLibrary {
  readonly init: (stream: Uint8Array) => void;
  readonly setDictionary: (stream: Uint8Array, dictionary: Uint8Array, length: number) => number;
  readonly deflate: (stream: Uint8Array) => number;
  readonly version: string;
}

/** Loaded once a thread; null where it is missing. */
let library: IsalLibrary | null | undefined;

function loadLibrary(): IsalLibrary | null {
  if (library !== undefined) return library;
  try {
    const lib = koffi.load('libisal.so.2');
    library = {
      init: lib.func('void isal_deflate_init(void*)') as IsalLibrary['init'],
      setDictionary: lib.func('int isal_deflate_set_dict(void*, void*, uint32_t)') as IsalLibrary['setDictionary'],
      deflate: lib.func('int isal_deflate(void*)') as IsalLibrary['deflate'],
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
  const deflate = makeDeflate(lib, level);
  try {
    const sample = trialSample();
    const dictionary = sample.subarray(0, ISAL_DICTIONARY);
    const input = sample.subarray(ISAL_DICTIONARY);
    const output = Buffer.from(deflate(input, dictionary));
    const whole = Buffer.concat([output, Buffer.from([0x03, 0x00])]);
    if (!inflateRawSync(whole, { dictionary }).equals(input)) return undefined;
    return { id: `isal-${lib.version}-l${level}-${hash('sha256', output, 'hex').slice(0, 8)}`, deflate };
  } catch {
    // A library whose struct differs fails here and not in a layer.
    return undefined;
  }
}

function makeDeflate(lib: IsalLibrary, level: IsalLevel): IsalDeflater['deflate'] {
  // Off-heap memory does not move, so the addresses written into the struct stay right while these buffers are referenced.
  const stream = Buffer.allocUnsafeSlow(STREAM_ROOM);
  const levelBuffer = Buffer.allocUnsafeSlow(LEVEL_BUFFER_SIZE[level]);
  const input = Buffer.allocUnsafeSlow(ISAL_BLOCK);
  const output = Buffer.allocUnsafeSlow(OUT_ROOM);
  const dictionaryRoom = Buffer.allocUnsafeSlow(ISAL_DICTIONARY);
  stream.fill(0);
  return (data, dictionary) => {
    if (data.length > ISAL_BLOCK) throw new RangeError(`a block has at most ${ISAL_BLOCK} bytes, not ${data.length}`);
    input.set(data);
    lib.init(stream);
    stream.writeUInt32LE(level, STREAM.level);
    stream.writeUInt32LE(levelBuffer.length, STREAM.levelBufferSize);
    stream.writeBigUInt64LE(koffi.address(levelBuffer), STREAM.levelBuffer);
    stream.writeUInt16LE(0, STREAM.endOfStream);
    stream.writeUInt16LE(SYNC_FLUSH, STREAM.flush);
    if (dictionary !== undefined && dictionary.length > 0) {
      dictionaryRoom.set(dictionary);
      const result = lib.setDictionary(stream, dictionaryRoom, dictionary.length);
      if (result !== 0) throw new Error(`isal_deflate_set_dict failed: ${result}`);
    }
    stream.writeBigUInt64LE(koffi.address(input), STREAM.nextIn);
    stream.writeUInt32LE(data.length, STREAM.availIn);
    stream.writeBigUInt64LE(koffi.address(output), STREAM.nextOut);
    stream.writeUInt32LE(output.length, STREAM.availOut);
    const result = lib.deflate(stream);
    const left = stream.readUInt32LE(STREAM.availIn);
    const room = stream.readUInt32LE(STREAM.availOut);
    if (result !== 0 || left !== 0 || room === 0 || room > output.length)
      throw new Error(`isal_deflate failed: ${result}, ${left} bytes of input left`);
    return output.subarray(0, output.length - room);
  };
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
