/** Fields of a structured log line. One key, one meaning: `err, build, vertex, digest, ref, lease, session, durationMs`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The log port; constant messages, variable parts in fields. `main.ts` files give the pino implementation. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
