import { invalidArgument } from '../base/index.ts';
import { readDevice } from './device.ts';
import { parseDuration } from './duration.ts';
import { type FlagKinds, type Flags, parseFlags } from './flags.ts';
import { chompTabs, heredocMark } from './heredoc.ts';
import type {
  ArgDefinition,
  Command,
  CommandBase,
  CommandLine,
  CopyCommand,
  CopySources,
  Healthcheck,
  InlineFile,
  KeyValue,
  RunCommand,
  Stage,
} from './instructions.ts';
import type { Linter } from './lint.ts';
import { LINT_RULES } from './lint-rules.ts';
import { atLocation } from './location.ts';
import { mountSource } from './mount.ts';
import type { InstructionNode } from './parser.ts';
import { didYouMean } from './suggest.ts';
import { cut, quote, trimSpace } from './text.ts';

/** All keywords, for suggestions. */
const KEYWORDS = (
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ' +
  'MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'
).split(' ');

/** A node as instruction; FROM gives a stage without commands. @throws DockerfileError with the node's lines */
export function readInstruction(node: InstructionNode, lint: Linter): Stage | Command {
  return atLocation(node.location, () => read(node, lint.within(node.comments)));
}

/** As {@link readInstruction}, where FROM cannot stand. */
export function readCommand(node: InstructionNode, lint: Linter): Command {
  const instruction = readInstruction(node, lint);
  if (!('kind' in instruction)) throw atLocation(node.location, () => invalidArgument('FROM is not allowed here'));
  return instruction;
}

function read(node: InstructionNode, lint: Linter): Stage | Command {
  const base: CommandBase = {
    keyword: node.command,
    code: trimSpace(node.original),
    location: node.location,
    comments: node.comments,
  };
  const kind = node.command.toLowerCase();
  switch (kind) {
    case 'from':
      return readFrom(node, base, lint);
    case 'env':
    case 'label':
      parseFlags(node.flags, {});
      return { ...base, kind, pairs: pairsOf(node, kind.toUpperCase()) };
    case 'arg':
      return readArg(node, base, lint);
    case 'add':
      return readAdd(node, base);
    case 'copy':
      return readCopy(node, base);
    case 'run':
      return readRun(node, base);
    case 'cmd':
    case 'entrypoint':
      parseFlags(node.flags, {});
      return { ...base, kind, line: commandLine(node) };
    case 'shell':
      return { ...base, kind, shell: shellOf(node) };
    case 'expose':
      if (node.args.length === 0) throw atLeastOne('EXPOSE');
      parseFlags(node.flags, {});
      return { ...base, kind, ports: node.args.toSorted() };
    case 'volume':
      return { ...base, kind, volumes: volumesOf(node) };
    case 'healthcheck':
      return { ...base, kind, healthcheck: healthcheckOf(node) };
    case 'onbuild':
      return { ...base, kind, expression: triggerOf(node) };
    case 'maintainer':
      lint.run(
        LINT_RULES.maintainerDeprecated,
        node.location,
        'Maintainer instruction is deprecated in favor of using label',
      );
      return { ...base, kind, value: exactlyOne(node) };
    case 'user':
    case 'workdir':
      return { ...base, kind, value: exactlyOne(node) };
    case 'stopsignal':
      if (node.args.length !== 1) throw invalidArgument('STOPSIGNAL requires exactly one argument');
      return { ...base, kind, value: node.args[0]! };
    default:
      throw invalidArgument(`unknown instruction: ${node.command}${didYouMean(node.command, KEYWORDS, false)}`);
  }
}

function atLeastOne(keyword: string): Error {
  return invalidArgument(`${keyword} requires at least one argument`);
}

function exactlyOne(node: InstructionNode): string {
  if (node.args.length !== 1) throw invalidArgument(`${node.command.toUpperCase()} requires exactly one argument`);
  parseFlags(node.flags, {});
  return node.args[0]!;
}

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

function readFrom(node: InstructionNode, base: CommandBase, lint: Linter): Stage {
  const { args } = node;
  const [image, as, written] = args;
  if (args.length === 3 && written !== written!.toLowerCase())
    lint.run(LINT_RULES.stageNameCasing, node.location, `Stage name '${written}' should be lowercase`);
  if (args.length >= 3 && !sameCase(node.command, as!))
    lint.run(LINT_RULES.fromAsCasing, node.location, `'${as}' and '${node.command}' keywords' casing do not match`);
  let name = '';
  if (args.length === 3 && as!.toLowerCase() === 'as') {
    name = written!.toLowerCase();
    if (!STAGE_NAME.test(name))
      throw invalidArgument(
        `invalid name for build stage: ${quote(written!)}, name can't start with a number or contain symbols`,
      );
  } else if (args.length !== 1) throw invalidArgument('FROM requires either one or three arguments');
  const platform = parseFlags(node.flags, { platform: 'string' }).string('platform');
  if (name !== '') checkDescription('FROM', [name], node, lint);
  const description = descriptionOf(node.comments, name);
  return { ...base, name, description, base: image!, platform, commands: [] };
}

/** Keywords in one case must agree; a keyword in mixed case is another rule's business. */
function sameCase(keyword: string, as: string): boolean {
  if (keyword === keyword.toLowerCase()) return as === as.toLowerCase();
  return keyword !== keyword.toUpperCase() || as === as.toUpperCase();
}

/** `# name text` right above describes `name`. */
function descriptionOf(comments: readonly string[], name: string): string {
  const found = name === '' ? undefined : comments.find((line) => line.startsWith(`${name} `));
  return found?.slice(name.length + 1) ?? '';
}

function checkDescription(keyword: string, names: readonly string[], node: InstructionNode, lint: Linter): void {
  const last = node.comments.at(-1);
  if (last === undefined || names.includes(cut(last, ' ')[0])) return;
  const example = names.length > 1 ? '<arg_key>' : names[0];
  lint.run(
    LINT_RULES.invalidDefinitionDescription,
    node.location,
    `Comment for ${keyword} should follow the format: \`# ${example} <description>\``,
  );
}

function pairsOf(node: InstructionNode, keyword: string): KeyValue[] {
  if (node.args.length === 0) throw atLeastOne(keyword);
  const pairs: KeyValue[] = [];
  for (let i = 0; i < node.args.length; i += 3) {
    const key = node.args[i]!;
    if (key === '') throw invalidArgument(`${keyword} names can not be blank`);
    pairs.push({ key, value: node.args[i + 1] ?? '', legacy: node.args[i + 2] === '' });
  }
  return pairs;
}

function readArg(node: InstructionNode, base: CommandBase, lint: Linter): Command {
  if (node.args.length === 0) throw atLeastOne('ARG');
  const definitions = node.args.map((arg): ArgDefinition => {
    const [key, value] = cut(arg, '=');
    if (key === '' && value !== undefined) throw invalidArgument('ARG names can not be blank');
    return { key, value, description: descriptionOf(node.comments, key) };
  });
  checkDescription(
    'ARG',
    definitions.map(({ key }) => key),
    node,
    lint,
  );
  return { ...base, kind: 'arg', definitions };
}

const COPY_FLAGS = { chown: 'string', chmod: 'string', link: 'boolean', exclude: 'strings' } as const;

function readCopy(node: InstructionNode, base: CommandBase): CopyCommand {
  const flags = copyFlags(node, { ...COPY_FLAGS, from: 'string', parents: 'boolean' });
  return {
    ...copyOf(node, base, flags),
    kind: 'copy',
    from: flags.string('from'),
    parents: flags.boolean('parents') ?? false,
  };
}

function readAdd(node: InstructionNode, base: CommandBase): CopyCommand {
  const flags = copyFlags(node, { ...COPY_FLAGS, 'keep-git-dir': 'boolean', checksum: 'string', unpack: 'boolean' });
  return {
    ...copyOf(node, base, flags),
    kind: 'add',
    keepGitDir: flags.boolean('keep-git-dir'),
    checksum: flags.string('checksum'),
    unpack: flags.boolean('unpack'),
  };
}

function copyFlags(node: InstructionNode, kinds: FlagKinds): Flags {
  if (node.args.length < 2)
    throw invalidArgument(
      `${node.command.toUpperCase()} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  return parseFlags(node.flags, kinds);
}

function copyOf(node: InstructionNode, base: CommandBase, flags: Flags): Omit<CopyCommand, 'kind'> {
  return {
    ...base,
    sources: copySources(node),
    from: '',
    chown: flags.string('chown'),
    chmod: flags.string('chmod'),
    link: flags.boolean('link') ?? false,
    parents: false,
    excludes: flags.strings('exclude'),
    keepGitDir: undefined,
    checksum: '',
    unpack: undefined,
  };
}

function copySources(node: InstructionNode): CopySources {
  const destination = node.args.at(-1)!;
  if (heredocMark(destination) !== undefined)
    throw invalidArgument(`${node.command.toUpperCase()} cannot accept a heredoc as a destination`);
  const byName = new Map(node.heredocs.map((heredoc) => [heredoc.name, heredoc]));
  const paths: string[] = [];
  const files: InlineFile[] = [];
  for (const source of node.args.slice(0, -1)) {
    const mark = heredocMark(source);
    if (mark === undefined) paths.push(source);
    else {
      const content = byName.get(mark.name)?.content ?? '';
      files.push({ name: mark.name, data: mark.chomp ? chompTabs(content) : content, expand: mark.expand });
    }
  }
  return { paths, files, destination };
}

function readRun(node: InstructionNode, base: CommandBase): RunCommand {
  const flags = parseFlags(node.flags, { mount: 'strings', network: 'string', security: 'string', device: 'strings' });
  const devices = flags.strings('device').map(readDevice);
  const [network = 'default'] = flags.strings('network');
  if (network !== 'default' && network !== 'none' && network !== 'host')
    throw invalidArgument(`invalid network mode ${quote(network)}`);
  const security = flags.string('security') || 'sandbox';
  if (security !== 'sandbox' && security !== 'insecure')
    throw invalidArgument(`security ${quote(security)} is not valid`);
  const mountTexts = flags.strings('mount');
  const mountSources = mountTexts.map(mountSource);
  return {
    ...base,
    kind: 'run',
    line: commandLine(node),
    mountTexts,
    mountSources,
    network,
    security,
    devices,
    mounts: [],
  };
}

function commandLine(node: InstructionNode): CommandLine {
  return {
    args: node.json || node.args.length === 0 ? node.args : [node.args.join(' ')],
    shell: !node.json,
    heredocs: node.heredocs.map(({ name, content, chomp }) => ({ name, data: content, chomp })),
  };
}

function shellOf(node: InstructionNode): readonly string[] {
  parseFlags(node.flags, {});
  if (node.args.length === 0) throw atLeastOne('SHELL');
  if (!node.json) throw invalidArgument('SHELL requires the arguments to be in JSON form');
  return node.args;
}

function volumesOf(node: InstructionNode): string[] {
  if (node.args.length === 0) throw atLeastOne('VOLUME');
  parseFlags(node.flags, {});
  return node.args.map((volume) => {
    const trimmed = trimSpace(volume);
    if (trimmed === '') throw invalidArgument('VOLUME specified can not be an empty string');
    return trimmed;
  });
}

const NO_HEALTHCHECK: Healthcheck = {
  test: ['NONE'],
  interval: 0,
  timeout: 0,
  startPeriod: 0,
  startInterval: 0,
  retries: 0,
};

function healthcheckOf(node: InstructionNode): Healthcheck {
  if (node.args.length === 0) throw atLeastOne('HEALTHCHECK');
  const type = node.args[0]!.toUpperCase();
  const args = node.args.slice(1);
  if (type === 'NONE') {
    if (args.length > 0) throw invalidArgument('HEALTHCHECK NONE takes no arguments');
    return NO_HEALTHCHECK;
  }
  const flags = parseFlags(node.flags, {
    interval: 'string',
    timeout: 'string',
    'start-period': 'string',
    'start-interval': 'string',
    retries: 'string',
  });
  if (type !== 'CMD') throw invalidArgument(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`);
  if (args.length === 0) throw invalidArgument('Missing command after HEALTHCHECK CMD');
  const retriesText = flags.string('retries');
  const retries = /^[+-]?\d{1,10}$/.test(retriesText) ? Number(retriesText) : retriesText === '' ? 0 : Number.NaN;
  if (!(Math.abs(retries) < 2 ** 31))
    throw invalidArgument(
      `strconv.ParseInt: parsing ${quote(retriesText)}: ${Number.isNaN(retries) ? 'invalid syntax' : 'value out of range'}`,
    );
  if (retries < 0) throw invalidArgument(`--retries cannot be negative (${retries})`);
  return {
    test: node.json ? ['CMD', ...args] : ['CMD-SHELL', args.join(' ')],
    interval: intervalOf(flags, 'interval'),
    timeout: intervalOf(flags, 'timeout'),
    startPeriod: intervalOf(flags, 'start-period'),
    startInterval: intervalOf(flags, 'start-interval'),
    retries,
  };
}

/** Nothing shorter than a millisecond, save zero, which means the default. */
function intervalOf(flags: Flags, name: string): number {
  const text = flags.string(name);
  const duration = text === '' ? 0 : parseDuration(text);
  if (duration !== 0 && duration < 1e6) throw invalidArgument(`Interval ${quote(name)} cannot be less than 1ms`);
  return duration;
}

function triggerOf(node: InstructionNode): string {
  if (node.args.length === 0) throw atLeastOne('ONBUILD');
  parseFlags(node.flags, {});
  const trigger = trimSpace(node.args[0]!).toUpperCase();
  if (trigger === 'ONBUILD') throw invalidArgument("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === 'MAINTAINER' || trigger === 'FROM')
    throw invalidArgument(`${trigger} isn't allowed as an ONBUILD trigger`);
  const original = node.original.replace(/^\s*ONBUILD\s*/i, '');
  return original + node.heredocs.map(({ name, content }) => `\n${content}${name}`).join('');
}
