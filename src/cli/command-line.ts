import { type ParseArgsConfig, parseArgs } from 'node:util';
import { z } from 'zod';
import { invalidArgument } from '../base/index.ts';

const keyValue = /^([A-Za-z]+)=(.*)$/;

/** One `--secret id=ID,src=PATH` or `--secret id=ID,env=NAME`. */
export interface SecretFlag {
  readonly id: string;
  readonly from: { readonly file: string } | { readonly env: string };
}

const buildOptions = z.object({
  file: z.string({ error: 'name the manifest: slipway build -f build.yaml' }),
  context: z.array(z.string()).default([]),
  secret: z.array(z.string()).default([]),
  builder: z.string().optional(),
  progress: z
    .enum(['auto', 'plain', 'tty', 'rawjson', 'quiet'], { error: 'must be auto, plain, tty, rawjson or quiet' })
    .default('auto'),
  'no-cache': z.boolean().default(false),
  'metadata-file': z.string().optional(),
  'default-registry': z.string().optional(),
});

export interface BuildCommand {
  readonly kind: 'build';
  readonly file: string;
  /** Folders by the name of the local source; the main one is `context`. */
  readonly contexts: ReadonlyMap<string, string>;
  readonly secrets: readonly SecretFlag[];
  /** Address of a running builder; undefined starts or joins the private one. */
  readonly builder: string | undefined;
  readonly progress: 'auto' | 'plain' | 'tty' | 'rawjson' | 'quiet';
  readonly noCache: boolean;
  readonly metadataFile: string | undefined;
  readonly defaultRegistry: string | undefined;
}

export type Command =
  | BuildCommand
  | { readonly kind: 'stop' }
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly topic: string | undefined };

/** @throws CodedError invalid_argument that names the flag and what is known. */
export function parseCommandLine(args: readonly string[]): Command {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h')
    return { kind: 'help', topic: rest[0] };
  if (name === 'version' || name === '--version' || name === '-v') return { kind: 'version' };
  if (rest.includes('--help') || rest.includes('-h')) return { kind: 'help', topic: name };
  if (name === 'stop') return { kind: 'stop' };
  if (name !== 'build')
    throw invalidArgument(`unknown command ${JSON.stringify(name)}: there are build, builderd, stop, version and help`);
  return parseBuildCommand(rest);
}

function parseBuildCommand(args: readonly string[]): BuildCommand {
  const options: ParseArgsConfig['options'] = {
    file: { type: 'string', short: 'f' },
    context: { type: 'string', multiple: true },
    secret: { type: 'string', multiple: true },
    builder: { type: 'string' },
    progress: { type: 'string' },
    'no-cache': { type: 'boolean' },
    'metadata-file': { type: 'string' },
    'default-registry': { type: 'string' },
  };
  let values: unknown;
  try {
    ({ values } = parseArgs({ args: [...args], options, allowPositionals: false }));
  } catch (error) {
    throw invalidArgument(`slipway build: ${(error as Error).message}`, {
      hint: "'slipway help build' lists the flags",
    });
  }
  const parsed = buildOptions.safeParse(values);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalidArgument(`slipway build: --${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`, {
      hint: "'slipway help build' lists the flags",
    });
  }
  const { data } = parsed;
  return {
    kind: 'build',
    file: data.file,
    contexts: parseContexts(data.context),
    secrets: data.secret.map(parseSecret),
    builder: data.builder,
    progress: data.progress,
    noCache: data['no-cache'],
    metadataFile: data['metadata-file'],
    defaultRegistry: data['default-registry'],
  };
}

/** `DIR` is the main context, `NAME=DIR` a named one. */
function parseContexts(flags: readonly string[]): ReadonlyMap<string, string> {
  const contexts = new Map<string, string>();
  for (const flag of flags) {
    const named = /^([A-Za-z0-9][A-Za-z0-9_.-]*)=(.+)$/.exec(flag);
    const name = named?.[1] ?? 'context';
    if (contexts.has(name)) throw invalidArgument(`--context ${name} is given twice`);
    contexts.set(name, named?.[2] ?? flag);
  }
  return contexts;
}

function parseSecret(flag: string): SecretFlag {
  const fields: Record<string, string> = {};
  for (const part of flag.split(',')) {
    const match = keyValue.exec(part);
    if (match === null)
      throw invalidArgument(`--secret ${JSON.stringify(flag)}: expected id=ID,src=PATH or id=ID,env=NAME`);
    fields[(match[1] as string).toLowerCase()] = match[2] as string;
  }
  const { id, src, source, env, type: _, ...unknown } = fields;
  const other = Object.keys(unknown)[0];
  if (other !== undefined) throw invalidArgument(`--secret: unknown key ${other}; known are id, src, env`);
  if (!id) throw invalidArgument(`--secret ${JSON.stringify(flag)}: id is missing`);
  const file = src ?? source;
  if (file !== undefined && env !== undefined) throw invalidArgument(`--secret ${id}: src and env exclude each other`);
  return { id, from: file === undefined ? { env: env ?? id } : { file } };
}
