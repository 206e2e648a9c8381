import { DEFAULT_LOG_LIMITS, type LogLimits } from '../executor/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How much of what a step prints is shown, by BuildKit's variables: bytes in all and a second, -1 for all of it. What is no number counts as not set, as with BuildKit, and is told. */
export function logLimitsOf(env: Environment, ignored: (variable: string) => void): LogLimits {
  const read = (variable: string, usual: number) => {
    const text = env[variable] ?? '';
    if (text === '') return usual;
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    ignored(variable);
    return usual;
  };
  return {
    maxSize: read('BUILDKIT_STEP_LOG_MAX_SIZE', DEFAULT_LOG_LIMITS.maxSize),
    maxSpeed: read('BUILDKIT_STEP_LOG_MAX_SPEED', DEFAULT_LOG_LIMITS.maxSpeed),
  };
}
