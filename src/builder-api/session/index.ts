export { type HostedSession, type HostSessionOptions, hostSession } from './host.ts';
export { type Session, SessionRegistry } from './registry.ts';
export type { SessionTaskContext } from './session-thread.ts';
export type { SessionTask } from './tunnel.ts';
