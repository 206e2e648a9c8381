export { type FileHasher, MAX_GROWTH } from './arriving.ts';
export { Listing, ListingKeeper, listedPackets, packetsUnlessSame } from './listing.ts';
export { type DirectoryRequest, directoryMetadata } from './metadata.ts';
export { fromGoMode, toGoMode, typeOfGoMode } from './mode.ts';
export { assertCleanPath } from './order.ts';
export { type FileStat, isCarried, type PacketStream } from './packets.ts';
export { type ReceiveOptions, receiveTree } from './receive.ts';
export { sendTree } from './send.ts';
export { serveDirectories } from './serve.ts';
export { type ExportDestination, serveExports } from './serve-exports.ts';
export { packetsOfCall } from './streams.ts';
export {
  type ContentAsking,
  failing,
  type Intake,
  type IntakeProgress,
  parentOf,
  type ReceiveProgress,
  readAhead,
  runTransfer,
} from './transfer.ts';
