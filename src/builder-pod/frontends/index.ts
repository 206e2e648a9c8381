export type * from './bridge.ts';
export { type BuiltInOptions, dockerfileFrontend } from './dockerfile.ts';
export { type Frontend, FrontendRegistry, type FrontendRequest } from './frontend.ts';
export { gatewayFrontend } from './gateway.ts';
export { isBuiltInSyntax } from './syntax.ts';
