import { cancelledError, type Logger, neverAborted, outboundSettings, sleep, toCodedError } from '../../base/index.ts';
import { pinoLogger } from '../../base/pino-logger.ts';
import { flagsWithVariables, readConfig } from './config.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { parseFlags, USAGE } from './flags.ts';
import { logLimitsOf } from './log-limits.ts';
import { BUILDKIT_VERSION } from './worker.ts';

/** How long closing may take before the process ends without it; the next start sweeps what it left. */
const CLOSE_LIMIT_MS = 20_000;

interface DaemonProcess {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Fires on SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
}

/** The daemon as a process: flags to exit code. */
export async function runDaemon({ args, env, stdout, stderr, stop }: DaemonProcess): Promise<number> {
  try {
    const flags = parseFlags(args);
    if (flags.help === true) {
      stdout(USAGE);
      return 0;
    }
    if (flags.version === true) {
      stdout(`buildkitd ${BUILDKIT_VERSION.package} ${BUILDKIT_VERSION.version}\n`);
      return 0;
    }
    const config = readConfig(flagsWithVariables(flags, env));
    const log = pinoLogger({ level: config.logLevel, format: config.logFormat });
    for (const key of config.idleKeys) log.warn('a key of the configuration has no effect in this builder', { key });
    const logLimits = logLimitsOf(env, (variable) =>
      log.warn('a variable is no number and counts as not set', { variable }),
    );
    await using opened = new AsyncDisposableStack();
    const daemon = await startDaemon(config, { outbound: outboundSettings(env), logLimits, env }, log, {
      signal: stop,
    });
    opened.defer(() => closeInTime(daemon, log));
    for (const address of daemon.addresses) log.info('running server', { address });
    if (daemon.registry !== undefined) log.info('running registry', { address: daemon.registry });
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve(), { once: true });
    await Promise.race([stopped, daemon.idle]);
    if (stop.aborted && config.drainMs > 0)
      await daemon.drain.end('it is about to end', { timeoutMs: config.drainMs, signal: neverAborted });
    log.info('stopping');
    return 0;
  } catch (error) {
    const coded = toCodedError(error);
    if (stop.aborted && coded.code === 'cancelled') return 0;
    stderr(`buildkitd: ${coded.message}\n${coded.hint === undefined ? '' : `hint: ${coded.hint}\n`}`);
    return 1;
  }
}

async function closeInTime(daemon: Daemon, log: Logger): Promise<void> {
  const limit = new AbortController();
  const late = sleep(CLOSE_LIMIT_MS, { signal: limit.signal }).then(
    () => log.error('closing takes too long: the process ends as it stands'),
    () => {},
  );
  const closed = Promise.resolve(daemon[Symbol.asyncDispose]());
  closed.catch(() => {});
  await Promise.race([closed, late]).finally(() => limit.abort(cancelledError()));
}

/** Fires on the first SIGTERM or SIGINT; a second ends the process at once. */
export function stopSignal(process: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    controller.abort(cancelledError(`stopped by ${name}`));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return controller.signal;
}
