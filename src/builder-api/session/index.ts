export { type HostedSession, hostSession, relaySession, serveRelayed } from './host.ts';
export { SessionRegistry } from './registry.ts';
export type { Session } from './session.ts';
export type { SessionTaskContext } from './session-thread.ts';
export { inTime, watchStall } from './stall.ts';
