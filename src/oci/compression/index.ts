export { type CompressionChoice, compressorId, openCompressor } from './compressor.ts';
export { decompress } from './decompress.ts';
export { detectCompression, type StreamCompression } from './detect.ts';
