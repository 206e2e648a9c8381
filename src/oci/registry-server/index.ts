export { type RegistryAccess, refreshToken } from './access.ts';
export { RegistryServer, type RegistryServerOptions } from './server.ts';
export { type RegistryThread, startRegistryThread } from './start-thread.ts';
