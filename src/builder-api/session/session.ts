import type { AnyMethod, ServiceDefinition } from '../grpc/service.ts';
import type { SessionLimits } from './limits.ts';
import type { SessionTunnel } from './tunnel.ts';

/** A connected build client: a channel to what it serves. */
export interface Session extends Pick<SessionTunnel, 'open' | 'run' | 'closed' | 'close'> {
  readonly id: string;
  /** Opaque key under which local sources of one place find each other between builds; may be empty. */
  readonly sharedKey: string;
  readonly limits: SessionLimits;
  /** Whether the client advertised the method. */
  supports(definition: ServiceDefinition, method: AnyMethod): boolean;
}
