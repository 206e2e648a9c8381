export type * from './bridge.ts';
export { dockerfileFrontend } from './dockerfile.ts';
export { FrontendRegistry } from './frontend.ts';
export { gatewayFrontend } from './gateway.ts';
export { llbFrontend } from './llb.ts';
