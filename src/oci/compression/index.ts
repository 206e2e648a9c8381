export { type CompressionChoice, type Compressor, compressorId, openCompressor, type Sink } from './compressor.ts';
export { type DecompressOptions, decompress } from './decompress.ts';
export { DETECT_BYTES, detectCompression, type StreamCompression } from './detect.ts';
