export * from './channel.ts';
export * from './client.ts';
export * from './metadata.ts';
export { delimited, lengthOf } from './parts.ts';
export * from './server.ts';
export * from './service.ts';
export { errorOfStatus, statusOfError, type WireCode } from './status.ts';
