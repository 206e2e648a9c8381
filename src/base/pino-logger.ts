import pino from 'pino';
import type { LogFields, Logger } from './log.ts';

/** The log port on pino, to standard error; written synchronously, so that a daemon that dies has said why. */
export function pinoLogger(options: { readonly level: string; readonly format: 'text' | 'json' }): Logger {
  const destination = options.format === 'json' ? pino.destination({ fd: 2, sync: true }) : textDestination();
  return wrap(pino({ level: options.level, base: null, serializers: { err: serializeError } }, destination));
}

/** Once each: messages of ours say their causes already, and the library adds all of them again. */
function serializeError(error: Error): unknown {
  if (!(error instanceof Error)) return error;
  let message = error.message;
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
    if (!message.includes(cause.message)) message += `: ${cause.message}`;
  return { ...pino.stdSerializers.err(error), message };
}

function wrap(log: pino.Logger): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) =>
    fields === undefined ? log[level](message) : log[level](fields, message);
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(log.child(fields)),
  };
}

/** Lines for people: time, level, message, fields. */
function textDestination(): { write(line: string): void } {
  return {
    write: (line) => {
      const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown> & {
        level: number;
        time: number;
        msg: string;
        err?: { message?: string };
      };
      const rest = Object.entries({ ...fields, ...(err === undefined ? {} : { err: err.message }) })
        .map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
        .join('');
      process.stderr.write(`${new Date(time).toISOString()} ${pino.levels.labels[level]} ${msg}${rest}\n`);
    },
  };
}
