import { type ParseArgsConfig, parseArgs } from 'node:util';
import { z } from 'zod';
import { invalidArgument } from '../../base/index.ts';
import type { ClientTls } from '../../builder-api/client/index.ts';

const DEFAULT_ADDRESS = 'unix:///run/buildkit/buildkitd.sock';
/** The names that certificates have in `--tlsdir`: all of a set are there. */
const TLS_SETS = [
  ['ca.pem', 'cert.pem', 'key.pem'],
  ['ca.crt', 'tls.crt', 'tls.key'],
] as const;

/** As BuildKit's client has them. */
const OPTIONS = {
  addr: { type: 'string' },
  debug: { type: 'boolean' },
  filter: { type: 'string', short: 'f', multiple: true },
  help: { type: 'boolean', short: 'h' },
  'log-format': { type: 'string' },
  timeout: { type: 'string' },
  tlscacert: { type: 'string' },
  tlscert: { type: 'string' },
  tlsdir: { type: 'string' },
  tlskey: { type: 'string' },
  tlsservername: { type: 'string' },
  version: { type: 'boolean', short: 'v' },
  wait: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

const flags = z.object({
  addr: z.string().optional(),
  filter: z.array(z.string()).default([]),
  help: z.boolean().default(false),
  timeout: z
    .string()
    .regex(/^[0-9]{1,6}$/, 'must be seconds')
    .default('5')
    .transform(Number),
  tlscacert: z.string().min(1).optional(),
  tlscert: z.string().min(1).optional(),
  tlsdir: z.string().min(1).optional(),
  tlskey: z.string().min(1).optional(),
  tlsservername: z.string().min(1).optional(),
  version: z.boolean().default(false),
});

export interface Endpoint {
  /** `unix://path` or `tcp://host:port`. */
  readonly address: string;
  readonly timeoutMs: number;
  readonly tls: ClientTls | undefined;
}

type BuildctlCommand =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'dial-stdio'; readonly endpoint: Endpoint }
  | { readonly kind: 'workers'; readonly endpoint: Endpoint; readonly filters: readonly string[] };

/**
 * @param env BUILDKIT_HOST is the address where none is given
 * @param isFile tells which certificates a folder has
 * @throws CodedError invalid_argument
 */
export function parseBuildctl(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  isFile: (path: string) => boolean,
): BuildctlCommand {
  const { values, positionals } = read(args);
  if (values.help || (positionals.length === 0 && !values.version)) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const endpoint = (): Endpoint => ({
    address: values.addr ?? (env['BUILDKIT_HOST'] || DEFAULT_ADDRESS),
    timeoutMs: values.timeout * 1000,
    tls: tlsOf(values, isFile),
  });
  const name = positionals.join(' ');
  if (name === 'debug workers') return { kind: 'workers', endpoint: endpoint(), filters: values.filter };
  if (name === 'dial-stdio') return { kind: 'dial-stdio', endpoint: endpoint() };
  throw invalidArgument(`buildctl ${name}: the builder's image has debug workers and dial-stdio alone`, {
    hint: "BuildKit's own buildctl does the rest, from where your sources are",
  });
}

function read(args: readonly string[]) {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (cause) {
    throw invalidArgument((cause as Error).message, { cause });
  }
  const checked = flags.safeParse(parsed.values);
  if (checked.success) return { values: checked.data, positionals: parsed.positionals };
  const [issue] = checked.error.issues;
  throw invalidArgument(`--${issue?.path.join('.')}: ${issue?.message}`);
}

function tlsOf(given: z.output<typeof flags>, isFile: (path: string) => boolean): ClientTls | undefined {
  const { tlscacert, tlscert, tlskey, tlsservername, tlsdir } = given;
  const named = { ca: tlscacert, cert: tlscert, key: tlskey };
  if (tlsdir === undefined) return defined({ ...named, serverName: tlsservername });
  if (Object.values(named).some((file) => file !== undefined))
    throw invalidArgument('--tlsdir goes without --tlscacert, --tlscert and --tlskey');
  for (const set of TLS_SETS) {
    const [ca, cert, key] = set.map((file) => `${tlsdir}/${file}`) as [string, string, string];
    if ([ca, cert, key].every(isFile)) return defined({ ca, cert, key, serverName: tlsservername });
  }
  throw invalidArgument(
    `--tlsdir ${tlsdir}: there is neither ${TLS_SETS.map((set) => set.join(', ')).join(' nor ')} in it`,
  );
}

/** What is given of it; undefined for nothing. */
function defined(tls: { readonly [Key in keyof ClientTls]: ClientTls[Key] | undefined }): ClientTls | undefined {
  const given = Object.entries(tls).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : (Object.fromEntries(given) as ClientTls);
}
