export { Listing, ListingKeeper, listedPackets, packetsUnlessSame } from './listing.ts';
export { type DirectoryRequest, directoryMetadata } from './metadata.ts';
export { fromGoMode, toGoMode, typeOfGoMode } from './mode.ts';
export { type FileStat, isCarried } from './packets.ts';
export { type FileHasher, type ReceiveOptions, type ReceiveProgress, receiveTree } from './receive.ts';
export { sendTree } from './send.ts';
export { serveDirectories } from './serve.ts';
export { type ExportDestination, serveExports } from './serve-exports.ts';
export { packetsOfCall } from './streams.ts';
