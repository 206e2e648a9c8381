export { type CompressionChoice, compressorIds, gzipMember, openCompressor } from './compressor.ts';
export { decompress } from './decompress.ts';
export { detectCompression, type StreamCompression } from './detect.ts';
