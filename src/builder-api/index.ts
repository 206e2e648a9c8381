export * from './fsutil/index.ts';
export * from './grpc/index.ts';
export * from './services/index.ts';
export * from './session/index.ts';
/** The messages themselves, by their protobuf package. */
export * as wire from './wire/messages.js';
