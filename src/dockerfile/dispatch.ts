import { constants } from 'node:os';
import { posix } from 'node:path';
import { annotate, invalidArgument } from '../base/index.ts';
import type { DispatchContext } from './dispatch-context.ts';
import { dispatchCopy } from './dispatch-copy.ts';
import { dispatchRun } from './dispatch-run.ts';
import { formatDuration } from './duration.ts';
import { expandCommand } from './expand-command.ts';
import { dispatchExpose } from './expose.ts';
import { fileVertex, parseOwner } from './file-op.ts';
import { addHistory } from './image-config.ts';
import type { ArgDefinition, CommandBase, CommandOf, Healthcheck } from './instructions.ts';
import type { Linter } from './lint.ts';
import { LINT_RULES } from './lint-rules.ts';
import { placeIn } from './location.ts';
import { displayText, stepName } from './names.ts';
import { withShell } from './shell-form.ts';
import { expand } from './shell-lex.ts';
import type { PlannedCommand, StageState } from './stage-state.ts';
import { SCAN_CONTEXT, SCAN_STAGE } from './steering-args.ts';
import { nearest } from './suggest.ts';
import { isSystemAbsolute, toSystemPath, workingDirectory } from './system-path.ts';
import { quote, quoteList } from './text.ts';

/** Names that an unknown one is held against. */
const MOST_COMPARED = 1000;
/** Longer paths no system call takes; relative ones would grow with each line. */
const MAX_PATH_LENGTH = 4096;
/** Arguments that steer the build and are no variables of it. */
const STEERING_ARGS: ReadonlySet<string> = new Set([SCAN_CONTEXT, SCAN_STAGE]);

/** Applies one instruction to the stage. */
export function dispatch(state: StageState, planned: PlannedCommand, shared: DispatchContext): void {
  const context = { ...shared, lint: shared.lint.within(planned.command.comments) };
  const command = expandCommand(planned.command, {
    word: (text) => expandIn(state, context, text, planned.command),
    raw: (text) => {
      const { result, unmatched } = expand(text, state.env, { ignoreQuotes: true });
      reportUndefined(state, context, unmatched, planned.command);
      return result;
    },
  });
  switch (command.kind) {
    case 'run':
      dispatchRun(state, command, planned, context);
      return;
    case 'copy':
    case 'add':
      dispatchCopy(state, command, planned, context);
      return;
    case 'env':
      dispatchEnv(state, command, context);
      return;
    case 'arg':
      dispatchArg(state, command, context);
      return;
    case 'label':
      dispatchLabel(state, command, context);
      return;
    case 'workdir':
      dispatchWorkdir(state, command, planned.onBuild, context);
      return;
    case 'user':
      state.user = command.value;
      state.image.config.user = command.value;
      commit(state, `USER ${command.value}`, context);
      return;
    case 'shell':
      state.image.config.shell = [...command.shell];
      commit(state, `SHELL [${command.shell.join(' ')}]`, context);
      return;
    case 'cmd':
      dispatchCmd(state, command, context);
      return;
    case 'entrypoint':
      dispatchEntrypoint(state, command, context);
      return;
    case 'expose':
      dispatchExpose(state, command, context);
      return;
    case 'volume':
      dispatchVolume(state, command.volumes, context);
      return;
    case 'stopsignal':
      checkSignal(command.value);
      state.image.config.stopSignal = command.value;
      commit(state, `STOPSIGNAL ${command.value}`, context);
      return;
    case 'healthcheck':
      once(state, 'healthcheck', command, context.lint);
      state.image.config.healthcheck = command.healthcheck;
      commit(state, `HEALTHCHECK ${healthcheckText(command.healthcheck)}`, context);
      return;
    case 'onbuild':
      state.image.config.onBuild.push(command.expression);
      return;
    case 'maintainer':
      state.image.author = command.value;
      commit(state, `MAINTAINER ${command.value}`, context);
      return;
  }
}

function commit(state: StageState, text: string, context: DispatchContext): void {
  addHistory(state.image, text, false, context.epoch);
}

function expandIn(state: StageState, context: DispatchContext, text: string, command: CommandBase): string {
  const { result, unmatched } = expand(text, state.env, { escape: context.escape });
  reportUndefined(state, context, unmatched, command);
  return result;
}

/** Warns of variables that nobody set; arguments declared without a value are meant to be empty. */
function reportUndefined(
  state: StageState,
  context: DispatchContext,
  unmatched: ReadonlySet<string>,
  command: CommandBase,
): void {
  for (const name of unmatched) {
    if (STEERING_ARGS.has(name) || state.buildArgs.has(name)) continue;
    const known = [...state.env.keys().take(MOST_COMPARED)];
    context.lint.run(LINT_RULES.undefinedVar, command.location, () => {
      const near = nearest(name, known);
      const hint = near === undefined || near === '' ? '' : ` (did you mean $${near}?)`;
      return `Usage of undefined variable '$${name}'${hint}`;
    });
  }
}

const SECRET_NAME = /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const NO_SECRET_NAME = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function checkSecretName(keyword: string, name: string, command: CommandBase, lint: Linter): void {
  if (!SECRET_NAME.test(name) || NO_SECRET_NAME.test(name)) return;
  lint.run(
    LINT_RULES.secretsUsedInArgOrEnv,
    command.location,
    `Do not use ARG or ENV instructions for sensitive data (${keyword} ${quote(name)})`,
  );
}

function checkLegacyForm(command: CommandOf<'env' | 'label'>, lint: Linter): void {
  const { keyword } = command;
  for (const pair of command.pairs)
    if (pair.legacy)
      lint.run(
        LINT_RULES.legacyKeyValueFormat,
        command.location,
        `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`,
      );
}

function dispatchEnv(state: StageState, command: CommandOf<'env'>, context: DispatchContext): void {
  checkLegacyForm(command, context.lint);
  for (const { key, value } of command.pairs) {
    checkSecretName('ENV', key, command, context.lint);
    state.env.set(key, value);
    state.image.config.env.set(key, value);
  }
  commit(state, `ENV ${command.pairs.map(({ key, value }) => `${key}=${value}`).join(' ')}`, context);
}

function dispatchLabel(state: StageState, command: CommandOf<'label'>, context: DispatchContext): void {
  checkLegacyForm(command, context.lint);
  state.image.config.labels ??= new Map();
  for (const { key, value } of command.pairs) state.image.config.labels.set(key, value);
  commit(state, `LABEL ${command.pairs.map(({ key, value }) => `${key}=${value}`).join(' ')}`, context);
}

function dispatchArg(state: StageState, command: CommandOf<'arg'>, context: DispatchContext): void {
  const texts: string[] = [];
  for (const definition of command.definitions) {
    checkSecretName('ARG', definition.key, command, context.lint);
    const given = context.options.buildArgs.get(definition.key);
    const inherited =
      given === undefined && definition.value === undefined ? context.globalArgs.get(definition.key) : undefined;
    const value = given ?? inherited ?? valueOfArg(state, definition, command, context);
    if (value !== undefined && !STEERING_ARGS.has(definition.key)) state.env.set(definition.key, value);
    if (inherited === undefined)
      state.outline.args.set(definition.key, { definition, location: command.location, value: value ?? '' });
    state.outline.usedArgs.add(definition.key);
    state.buildArgs.set(definition.key, value);
    texts.push(value === undefined ? definition.key : `${definition.key}=${value}`);
  }
  commit(state, `ARG ${texts.join(' ')}`, context);
}

function valueOfArg(
  state: StageState,
  definition: ArgDefinition,
  command: CommandBase,
  context: DispatchContext,
): string | undefined {
  return definition.value === undefined ? undefined : expandIn(state, context, definition.value, command);
}

/** Where later relative paths start, without a layer: what the base image says. */
export function setDirectory(state: StageState, path: string): string {
  const os = state.platform?.os ?? '';
  let absolute: string;
  try {
    absolute = workingDirectory(state.image.config.workingDir, path, os);
  } catch (error) {
    throw annotate(error, 'normalizing workdir: normalizing working directory');
  }
  if (absolute.length > MAX_PATH_LENGTH)
    throw invalidArgument(`the working directory has a path of more than ${MAX_PATH_LENGTH} characters`);
  state.image.config.workingDir = toSystemPath(absolute, os);
  state.directory = absolute;
  return absolute;
}

function dispatchWorkdir(
  state: StageState,
  command: CommandOf<'workdir'>,
  onBuild: boolean,
  context: DispatchContext,
): void {
  if (!state.workdirSet && !isSystemAbsolute(command.value, state.platform?.os ?? ''))
    context.lint.run(
      LINT_RULES.workdirRelativePath,
      command.location,
      `Relative workdir ${quote(command.value)} can have unexpected results if the base image changes`,
    );
  state.workdirSet = true;
  const path = setDirectory(state, command.value);
  if (path === '/') {
    commit(state, `WORKDIR ${path}`, context);
    return;
  }
  const platform = state.platform ?? context.targetPlatform;
  const { user } = state.image.config;
  const step = {
    kind: 'mkdir' as const,
    path: posix.resolve('/', path),
    mode: 0o755,
    parents: true,
    created: context.epoch,
    owner: user === '' ? undefined : parseOwner(user),
  };
  const text = displayText(command.code, state.env, { escape: context.escape });
  state.output = fileVertex(state.output, [step], {
    name: stepName(state, text, platform, { onBuild, multiPlatform: context.options.multiPlatform }),
    locations: placeIn(context.source, command.location),
  });
  state.statePlatform = platform;
  addHistory(state.image, `WORKDIR ${path}`, true, context.epoch);
}

function once(state: StageState, kind: 'cmd' | 'entrypoint' | 'healthcheck', command: CommandBase, lint: Linter): void {
  const earlier = state.lastOf.get(kind);
  if (earlier !== undefined)
    lint.run(
      LINT_RULES.multipleInstructionsDisallowed,
      earlier,
      `Multiple ${command.keyword} instructions should not be used in the same stage because only the last one will be used`,
    );
  state.lastOf.set(kind, command.location);
}

function checkJsonForm(state: StageState, command: CommandOf<'cmd' | 'entrypoint'>, lint: Linter): void {
  if (!command.line.shell || (state.image.config.shell ?? []).length > 0) return;
  lint.run(
    LINT_RULES.jsonArgsRecommended,
    command.location,
    `JSON arguments recommended for ${command.keyword} to prevent unintended behavior related to OS signals`,
  );
}

function dispatchCmd(state: StageState, command: CommandOf<'cmd'>, context: DispatchContext): void {
  once(state, 'cmd', command, context.lint);
  checkJsonForm(state, command, context.lint);
  const args = withShell(state.image, command.line);
  state.image.config.cmd = args;
  state.image.config.argsEscaped = true;
  commit(state, `CMD ${quoteList(args)}`, context);
}

function dispatchEntrypoint(state: StageState, command: CommandOf<'entrypoint'>, context: DispatchContext): void {
  once(state, 'entrypoint', command, context.lint);
  checkJsonForm(state, command, context.lint);
  const args = withShell(state.image, command.line);
  state.image.config.entrypoint = args;
  if (!state.lastOf.has('cmd')) state.image.config.cmd = undefined;
  commit(state, `ENTRYPOINT ${quoteList(args)}`, context);
}

function dispatchVolume(state: StageState, volumes: readonly string[], context: DispatchContext): void {
  if (volumes.includes('')) throw invalidArgument('VOLUME specified can not be an empty string');
  state.image.config.volumes ??= new Set();
  for (const volume of volumes) state.image.config.volumes.add(volume);
  commit(state, `VOLUME [${volumes.join(' ')}]`, context);
}

function checkSignal(text: string): void {
  if (/^[+-]?\d+$/.test(text)) {
    if (Number(text) !== 0) return;
  } else {
    const name = text.toUpperCase().replace(/^SIG/, '');
    if (Object.hasOwn(constants.signals, `SIG${name}`) || /^RTM(IN(\+\d+)?|AX(-\d+)?)$/.test(name)) return;
  }
  throw invalidArgument(`invalid signal: ${text}`);
}

function healthcheckText(check: Healthcheck): string {
  return (
    `{Test:[${check.test.join(' ')}] Interval:${formatDuration(check.interval)} Timeout:${formatDuration(check.timeout)} ` +
    `StartPeriod:${formatDuration(check.startPeriod)} StartInterval:${formatDuration(check.startInterval)} Retries:${check.retries}}`
  );
}
