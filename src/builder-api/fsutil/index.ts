export { type DirectoryRequest, directoryMetadata, readDirectoryMetadata } from './metadata.ts';
export { fromGoMode, toGoMode, typeOfGoMode } from './mode.ts';
export type { FileStat, FsPacket, PacketStream } from './packets.ts';
export { type FileHasher, isCarried, type ReceiveOptions, type ReceiveProgress, receiveTree } from './receive.ts';
export { type SendOptions, sendTree } from './send.ts';
export { serveDirectories } from './serve.ts';
export { type ExportDestination, serveExports } from './serve-exports.ts';
export { packetsOfCall, packetsOfServerCall } from './streams.ts';
export { walkTree } from './walk.ts';
