import { isIP } from 'node:net';
import { invalidArgument } from '../base/index.ts';
import type { DispatchContext } from './dispatch-context.ts';
import { addHistory } from './image-config.ts';
import type { CommandOf } from './instructions.ts';
import { LINT_RULES } from './lint-rules.ts';
import { expand } from './shell-lex.ts';
import type { StageState } from './stage-state.ts';
import { cut, quote } from './text.ts';

/** EXPOSE: `port[-port][/protocol]`. */
export function dispatchExpose(state: StageState, command: CommandOf<'expose'>, context: DispatchContext): void {
  const ports = command.ports
    .flatMap((port) => [...expand(port, state.env, { escape: context.escape }).words])
    .flatMap((port) => readPort(port, command, context));
  state.image.config.exposedPorts ??= new Set();
  for (const port of ports) state.image.config.exposedPorts.add(port);
  addHistory(state.image, `EXPOSE [${ports.join(' ')}]`, false, context.epoch);
}

function readPort(text: string, command: CommandOf<'expose'>, context: DispatchContext): string[] {
  const parts = text.split(':');
  const [range, protocol] = cut(parts.at(-1)!, '/');
  if (range === '') throw invalidArgument(`invalid port: ${quote(text)}: no port specified`);
  const normal = (protocol || 'tcp').toLowerCase();
  if (!['tcp', 'udp', 'sctp'].includes(normal))
    throw invalidArgument(`invalid port: ${quote(text)}: invalid proto: ${protocol}`);
  if (protocol !== undefined && protocol !== protocol.toLowerCase())
    context.lint.run(
      LINT_RULES.exposeProtoCasing,
      command.location,
      `Defined protocol '${text}' in EXPOSE instruction should be lowercase`,
    );
  const [start, end] = readRange(range, 'containerPort');
  if (parts.length > 1) checkMapping(text, parts, [start, end], command, context);
  return Array.from({ length: end - start + 1 }, (_, i) => `${start + i}/${normal}`);
}

/** An address and a port of the host have no meaning in an image; they are read, and warned of. */
function checkMapping(
  text: string,
  parts: readonly string[],
  container: readonly [number, number],
  command: CommandOf<'expose'>,
  context: DispatchContext,
): void {
  const address = parts.slice(0, -2).join(':');
  const host = parts.at(-2)!;
  if (address !== '' || host !== '')
    context.lint.run(
      LINT_RULES.exposeInvalidFormat,
      command.location,
      `EXPOSE instruction should not define an IP address or host-port mapping, found '${text}'`,
    );
  if (address !== '' && isIP(address.replace(/^\[(.*)\]$/, '$1')) === 0)
    throw invalidArgument(`invalid IP address: ${address}`);
  if (host === '') return;
  const [start, end] = readRange(host, 'hostPort');
  const several = container[1] - container[0];
  if (several !== 0 && several !== end - start)
    throw invalidArgument(`invalid ranges specified for container and host Ports: ${parts.at(-1)} and ${host}`);
}

function readRange(text: string, what: string): [number, number] {
  const [first, last] = cut(text, '-');
  const start = portNumber(first);
  const end = last === undefined ? start : portNumber(last);
  if (!(end >= start)) throw invalidArgument(`invalid ${what}: ${text}`);
  return [start, end];
}

function portNumber(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return value <= 65535 ? value : Number.NaN;
}
