import { annotate, CodedError, invalidArgument, PatternMatcher, type Platform, parsePlatform } from '../base/index.ts';
import { lateOutput, type Output, type SourceInfo } from '../llb/index.ts';
import { resolveBase } from './base-image.ts';
import type { BuildContexts } from './contexts.ts';
import { checkCycles } from './cycles.ts';
import { dispatch, setDirectory } from './dispatch.ts';
import type { DispatchContext } from './dispatch-context.ts';
import { lookUpEpoch, plainEpoch } from './epoch.ts';
import type { CallOptions, DockerfileClient } from './frontend-interface.ts';
import { applyGlobalArgs, checkBaseNames, platformArgs } from './global-args.ts';
import { DEFAULT_PATH, normalizeImagePlatform } from './image-config.ts';
import type { Command, CommandOf, Stage } from './instructions.ts';
import type { Linter } from './lint.ts';
import { LINT_RULES } from './lint-rules.ts';
import { located, relocated } from './location.ts';
import { findNamedContext } from './named-context.ts';
import type { BuildOptions } from './options.ts';
import { type ParsedDockerfile, parseDockerfile } from './parser.ts';
import { readCommand } from './read-instruction.ts';
import type { ScanTargets } from './sbom-scan.ts';
import { EMPTY_ENV, type Expansion, expand } from './shell-lex.ts';
import { checkCasing, checkFromArgs, checkPlatformFlag, checkStageNames } from './stage-lint.ts';
import {
  type Environment,
  followPaths,
  OutlineNotes,
  type PlannedCommand,
  reachableFrom,
  StageState,
  StageTable,
} from './stage-state.ts';
import { readStages } from './stages.ts';
import { proxyOf, SCAN_CONTEXT, SCAN_STAGE } from './steering-args.ts';
import { didYouMean } from './suggest.ts';
import { parseBoolean, quote } from './text.ts';

const EPOCH = 'SOURCE_DATE_EPOCH';
/** Registry lookups at once. */
const MAX_LOOKUPS = 16;

interface ConversionInput {
  readonly text: string;
  readonly source: SourceInfo;
  readonly client: DockerfileClient;
  readonly contexts: BuildContexts;
  readonly options: BuildOptions;
  /** Undefined: the builder's, or whatever a base image turns out to be. */
  readonly targetPlatform: Platform | undefined;
  readonly lint: Linter;
  /** Read stages that the target does not need, too: for checks. */
  readonly allStages?: boolean;
}

/** The target stage, every stage read. */
export interface Conversion {
  readonly target: StageState;
  readonly globalOutline: OutlineNotes;
  readonly platform: Platform;
  /** Seconds since the epoch. */
  readonly epoch: number | undefined;
  /** What an SBOM of the build tells of. */
  readonly scans: ScanTargets;
}

/** Turns a Dockerfile into stages with graphs. @throws DockerfileError with the lines at fault */
export async function convertDockerfile(input: ConversionInput, options: CallOptions): Promise<Conversion> {
  if (input.text === '') throw invalidArgument('the Dockerfile cannot be empty');
  const parsed = parseDockerfile(input.text);
  const { lint } = input;
  for (const location of parsed.emptyContinuations)
    lint.run(LINT_RULES.noEmptyContinuation, location, 'Empty continuation line');
  const { stages, globalArgs } = readStages(parsed, lint);
  if (stages.length === 0) throw invalidArgument('dockerfile contains no stages to build');
  checkStageNames(stages, lint);
  checkCasing(stages, lint);
  return await new Converter(input, parsed, stages, globalArgs, options).run();
}

class Converter {
  #input: ConversionInput;
  readonly #parsed: ParsedDockerfile;
  readonly #stages: readonly Stage[];
  readonly #table = new StageTable();
  readonly #args: Environment;
  readonly #outline = new OutlineNotes();
  readonly #target: Platform;
  readonly #call: CallOptions;
  #epoch: number | undefined;
  readonly #globalNames: ReadonlySet<string>;
  #buildContext: Output | undefined;

  constructor(
    input: ConversionInput,
    parsed: ParsedDockerfile,
    stages: readonly Stage[],
    globalArgs: readonly CommandOf<'arg'>[],
    call: CallOptions,
  ) {
    this.#input = input;
    this.#parsed = parsed;
    this.#stages = stages;
    this.#call = call;
    const build = input.client.buildPlatforms[0]!;
    this.#target = input.targetPlatform ?? build;
    const { buildArgs, target } = input.options;
    this.#args = platformArgs(build, this.#target, buildArgs, target || stages.at(-1)!.name);
    checkBaseNames(stages, this.#args, globalArgs, parsed.escape, input.lint);
    applyGlobalArgs(this.#args, globalArgs, buildArgs, parsed.escape, this.#outline);
    this.#globalNames = new Set([...this.#outline.args.keys(), ...this.#args.keys()]);
  }

  async run(): Promise<Conversion> {
    await this.#findEpoch();
    for (const [i, stage] of this.#stages.entries()) this.#addStage(stage, i);
    const target = this.#findTarget();
    for (const state of [...this.#table.all]) this.#planCommands(state);
    checkCycles(this.#table.all);
    if (this.#table.all.length === 1) this.#table.all[0]!.displayName = '';
    const reachable = await this.#resolve(target);
    await this.#dispatchAll(reachable, target);
    this.#finish(target);
    const scans = this.#scans(target, reachable);
    return { target, globalOutline: this.#outline, platform: this.#target, epoch: this.#epoch, scans };
  }

  /** The target, and what the Dockerfile names beside it: stages by `BUILDKIT_SBOM_SCAN_STAGE`, the context by `BUILDKIT_SBOM_SCAN_CONTEXT`. */
  #scans(target: StageState, reachable: ReadonlySet<StageState>): ScanTargets {
    const extras = new Map<string, Output | undefined>();
    const asks = (state: StageState, name: string) =>
      isAskedOf(state.stage.name, state.buildArgs.get(name) ?? this.#args.get(name));
    if (asks(target, SCAN_CONTEXT)) extras.set('context', this.#buildContext);
    let { ignoreCache } = target;
    for (const state of reachable) {
      if (state === target || !asks(state, SCAN_STAGE)) continue;
      extras.set(state.stage.name || state.displayName, state.output);
      ignoreCache ||= state.ignoreCache;
    }
    return { core: target.output, extras, ignoreCache };
  }

  /** SOURCE_DATE_EPOCH, given with the build or before the first FROM; from here on it is a number, or not there. */
  async #findEpoch(): Promise<void> {
    const { client, contexts, options } = this.#input;
    const given = options.buildArgs.get(EPOCH);
    const text = given ?? this.#args.get(EPOCH) ?? '';
    this.#epoch = plainEpoch(text);
    if (text === '' || this.#epoch !== undefined) return;
    const where = { client, contexts, options, stages: this.#stages, args: this.#args };
    const more = { escapeToken: this.#parsed.escape, platform: this.#target };
    this.#epoch = await lookUpEpoch(text, { ...where, ...more }, this.#call);
    if (given === undefined) {
      if (this.#epoch === undefined) this.#args.delete(EPOCH);
      else this.#args.set(EPOCH, String(this.#epoch));
      return;
    }
    const buildArgs = new Map(options.buildArgs);
    if (this.#epoch === undefined) buildArgs.delete(EPOCH);
    else buildArgs.set(EPOCH, String(this.#epoch));
    this.#input = { ...this.#input, options: { ...options, buildArgs } };
  }

  #expand(text: string): Expansion {
    return expand(text, this.#args, { escape: this.#parsed.escape });
  }

  #addStage(stage: Stage, index: number): void {
    const lint = this.#input.lint.within(stage.comments);
    const known = this.#globalNames;
    let base: Expansion;
    let platform: Platform | undefined;
    const used = new Set<string>();
    try {
      base = this.#expand(stage.base);
      checkFromArgs(base.unmatched, known, stage.location, lint);
      if (base.result === '') throw invalidArgument(`base name (${stage.base}) should not be blank`);
      if (stage.platform !== '') {
        const asked = this.#expand(stage.platform);
        checkFromArgs(asked.unmatched, known, stage.location, lint);
        checkPlatformFlag(stage, asked, this.#args, lint);
        platform = this.#platformOf(stage, asked);
        for (const name of asked.matched) used.add(name);
      }
    } catch (error) {
      throw located(error, stage.location);
    }
    const state = new StageState(stage, base.result);
    state.platform = platform;
    if (stage.name !== '') {
      state.namedContext = findNamedContext(this.#input.client, stage.name, platform ?? this.#target, () =>
        followPaths(state.paths),
      );
      if (state.namedContext !== undefined) {
        this.#table.add(state);
        state.base = undefined;
        return;
      }
    } else state.displayName = `stage-${index}`;
    this.#table.add(state);
    for (const name of [...base.matched, ...used]) state.outline.usedArgs.add(name);
    const pulls = state.baseName !== 'scratch' && state.base === undefined;
    const steps = stage.commands.filter(({ kind }) => ['add', 'copy', 'run', 'workdir'].includes(kind)).length;
    state.stepsTotal = steps + (pulls ? 1 : 0);
    state.ignoreCache = this.#ignoresCache(stage.name);
  }

  #platformOf(stage: Stage, asked: Expansion): Platform {
    const suggestion = () => [...asked.unmatched].map((name) => didYouMean(name, this.#args.keys())).join('');
    if (asked.result === '')
      throw invalidArgument(`empty platform value from expression ${stage.platform}${suggestion()}`);
    try {
      return parsePlatform(asked.result);
    } catch (error) {
      throw annotate(error, `failed to parse platform ${stage.platform}${suggestion()}`);
    }
  }

  #ignoresCache(name: string): boolean {
    const { noCache } = this.#input.options;
    if (noCache === undefined) return false;
    return noCache.length === 0 || noCache.some((stage) => stage.toLowerCase() === name.toLowerCase());
  }

  #findTarget(): StageState {
    const wanted = this.#input.options.target;
    if (wanted === '') return this.#table.all.at(-1)!;
    const found = this.#table.byName(wanted);
    if (found !== undefined) return found;
    throw CodedError.of(
      'DOCKERFILE_TARGET_NOT_FOUND',
      `target stage ${quote(wanted)} could not be found${didYouMean(wanted, this.#table.names())}`,
      { hint: 'Name a stage that a FROM … AS line of the Dockerfile gives.' },
    );
  }

  #planCommands(state: StageState): void {
    state.commands = state.stage.commands.map((command) => this.#plan(state, command, false));
  }

  /** Finds what an instruction takes files from; an image that no stage names becomes a state of its own. */
  #plan(state: StageState, command: Command, onBuild: boolean): PlannedCommand {
    const sources = this.#sourcesOf(command);
    for (const source of sources) {
      state.dependencies.set(source, command.location);
      if (source.unregistered && !this.#table.has(source)) this.#table.add(source);
    }
    return { command, sources, onBuild };
  }

  #sourcesOf(command: Command): StageState[] {
    if (command.kind === 'run')
      return command.mountSources.map((from) => {
        const name = from || 'scratch';
        return this.#table.byName(name) ?? imageState(name, command);
      });
    if (command.kind !== 'copy' || command.from === '') return [];
    const { from } = command;
    if (expand(from, EMPTY_ENV, { escape: this.#parsed.escape }).result !== from)
      throw located(
        invalidArgument(
          'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
        ),
        command.location,
      );
    if (!/^[+-]?\d+$/.test(from)) return [this.#table.byName(from) ?? imageState(from, command)];
    const byIndex = this.#table.all[Number(from)];
    if (byIndex === undefined) throw located(invalidArgument(`invalid stage index ${from}`), command.location);
    return [byIndex];
  }

  /** Resolves the images that the target needs, again when their ONBUILD triggers need more. */
  async #resolve(target: StageState): Promise<Set<StageState>> {
    for (;;) {
      const reachable = reachableFrom(target);
      const wanted = this.#table.all.filter(
        (state) =>
          (reachable.has(state) || this.#input.allStages) &&
          state.base === undefined &&
          !state.resolved &&
          !state.dispatched,
      );
      await this.#resolveBases(wanted);
      let more = false;
      for (const state of [...this.#table.all]) {
        if (!reachable.has(state)) continue;
        state.inherit();
        more = this.#addTriggers(state) || more;
      }
      if (!more) return reachable;
    }
  }

  async #resolveBases(states: readonly StageState[]): Promise<void> {
    const failure = new AbortController();
    const signal = AbortSignal.any([this.#call.signal, failure.signal]);
    for (const state of states) state.resolved = true;
    const waiting = states.values();
    const lookUp = async () => {
      for (const state of waiting) {
        signal.throwIfAborted();
        try {
          await resolveBase(
            state,
            {
              client: this.#input.client,
              source: this.#input.source,
              contexts: this.#input.contexts,
              options: this.#input.options,
              targetPlatform: this.#target,
              implicitTarget: this.#input.targetPlatform === undefined,
              lint: this.#input.lint,
              stageNames: () => this.#table.names(),
            },
            { signal },
          );
        } catch (error) {
          failure.abort(error);
          throw error;
        }
      }
    };
    const results = await Promise.allSettled(Array.from({ length: MAX_LOOKUPS }, lookUp));
    this.#call.signal.throwIfAborted();
    if (failure.signal.aborted) throw failure.signal.reason;
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Puts the triggers of the base before the stage's own instructions. True when they need other stages or images. */
  #addTriggers(state: StageState): boolean {
    const triggers = [...state.image.config.onBuild];
    if (state.base !== undefined && !state.onBuildRead) {
      state.onBuildRead = true;
      for (const { command } of state.base.commands) if (command.kind === 'onbuild') triggers.push(command.expression);
    }
    state.image.config.onBuild = [];
    if (triggers.length === 0) return false;
    let added: PlannedCommand[];
    try {
      added = triggers.map((trigger) => this.#trigger(state, trigger));
    } catch (error) {
      throw relocated(error, [state.stage.location]);
    }
    state.commands = [...added, ...state.commands];
    state.stepsTotal += added.length;
    return added.some(({ sources }) => sources.length > 0);
  }

  #trigger(state: StageState, trigger: string): PlannedCommand {
    const [node, ...others] = parseDockerfile(trigger).nodes;
    if (node === undefined || others.length > 0) throw invalidArgument('onbuild trigger should be a single expression');
    const { location } = state.stage;
    return this.#plan(state, readCommand({ ...node, location }, this.#input.lint), true);
  }

  async #dispatchAll(reachable: ReadonlySet<StageState>, target: StageState): Promise<void> {
    const ignorePatterns = await this.#input.contexts.ignorePatterns(this.#call);
    // Its paths are known once every stage has been read.
    let mainContext: Output | undefined;
    this.#buildContext = lateOutput(() => mainContext);
    const { options, client, lint, source } = this.#input;
    const shared: DispatchContext = {
      options,
      globalArgs: this.#args,
      targetPlatform: this.#target,
      escape: this.#parsed.escape,
      source,
      buildContext: this.#buildContext,
      ignore: ignorePatterns.length > 0 ? new PatternMatcher(ignorePatterns) : undefined,
      ignorePatterns,
      proxy: proxyOf(options.buildArgs),
      epoch: this.#epoch,
      lint,
      llbCaps: client.llbCaps,
    };
    const contextPaths = new Set<string>();
    for (const state of this.#table.all) {
      if (!this.#input.allStages && !reachable.has(state)) continue;
      if (state.dispatched) continue;
      this.#dispatchStage(state, shared);
      for (const path of state.contextPaths) contextPaths.add(path);
    }
    target.paths.add('/');
    if (options.labels.size > 0)
      target.image.config.labels = new Map([...(target.image.config.labels ?? []), ...options.labels]);
    lint.assertClean();
    mainContext = await this.#input.contexts.mainContext(followPaths(contextPaths), this.#call);
  }

  #dispatchStage(state: StageState, shared: DispatchContext): void {
    state.inherit();
    state.dispatched = true;
    state.platform ??= this.#target;
    const { config } = state.image;
    if (!config.env.has('PATH') && state.platform.os !== 'windows') config.env.set('PATH', DEFAULT_PATH);
    for (const entry of config.env) {
      const equals = entry.indexOf('=');
      state.env.set(equals < 0 ? entry : entry.slice(0, equals), equals < 0 ? '' : entry.slice(equals + 1));
    }
    if (shared.options.hostname !== '') state.hostname = shared.options.hostname;
    if (config.workingDir !== '') setDirectory(state, config.workingDir);
    if (config.user !== '') state.user = config.user;
    for (const planned of state.commands) {
      try {
        dispatch(state, planned, shared);
      } catch (error) {
        throw located(error, planned.command.location);
      }
    }
  }

  /** The image says what was asked for, and what the base image was where nothing was. */
  #finish({ image }: StageState): void {
    if (this.#input.targetPlatform !== undefined) {
      const target = this.#target;
      const same = target.os === image.os && target.architecture === image.architecture;
      image.os = target.os;
      image.architecture = target.architecture;
      if (target.variant !== undefined) image.variant = target.variant;
      else if (!same) delete image.variant;
      if (target['os.version'] !== undefined) image.osVersion = target['os.version'];
      else if (!same) delete image.osVersion;
    }
    normalizeImagePlatform(image);
  }
}

/** Said for all stages, or for some by name. */
function isAskedOf(stage: string, value: string | undefined): boolean {
  if (value === undefined) return false;
  return parseBoolean(value) ?? value.split(',').includes(stage);
}

function imageState(name: string, command: Command): StageState {
  const stage: Stage = {
    keyword: '',
    code: '',
    location: command.location,
    comments: [],
    name: '',
    description: '',
    base: name,
    platform: '',
    commands: [],
  };
  return new StageState(stage, name, true);
}
