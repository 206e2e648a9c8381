/** Time as a port, so that tests can turn it. */
export interface Clock {
  /** Milliseconds since the epoch, with fractions. */
  now(): number;
}

export const systemClock: Clock = { now: () => performance.timeOrigin + performance.now() };
