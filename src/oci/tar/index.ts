export { TimeClamp } from './clamp-times.ts';
export { type ByteString, byteString, TAR_BLOCK, type TarEntry, tarPadding, textOf } from './entry.ts';
export { encodeTarHeader } from './header.ts';
export { type TarHandler, type TarLimits, TarReader } from './reader.ts';
export { ChunkMemory, TarWriter } from './writer.ts';
