import type { Platform } from '../base/index.ts';
import type { Output } from '../llb/index.ts';
import { cloneImageConfig, type ImageConfig, noImageConfig } from './image-config.ts';
import type { ArgDefinition, Command, Stage } from './instructions.ts';
import type { Location } from './location.ts';
import type { NamedContext } from './named-context.ts';
import type { EnvLookup } from './shell-lex.ts';

/** Environment in the order of last assignment. */
export class Environment implements EnvLookup {
  #values: Map<string, string>;
  /** Whether a copy has the same map: whoever changes something takes one of its own. */
  #shared = false;

  constructor(values: Iterable<readonly [string, string]> = []) {
    this.#values = new Map(values);
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  keys(): IteratorObject<string> {
    return this.#values.keys();
  }

  set(name: string, value: string): void {
    const values = this.#toChange();
    values.delete(name);
    values.set(name, value);
  }

  delete(name: string): void {
    this.#toChange().delete(name);
  }

  clone(): Environment {
    const copy = new Environment();
    copy.#values = this.#values;
    copy.#shared = true;
    this.#shared = true;
    return copy;
  }

  #toChange(): Map<string, string> {
    if (this.#shared) this.#values = new Map(this.#values);
    this.#shared = false;
    return this.#values;
  }

  toList(): string[] {
    return [...this.#values].map(([key, value]) => `${key}=${value}`);
  }
}

/** An instruction with the stages or images that it takes files from, one per use. */
export interface PlannedCommand {
  readonly command: Command;
  readonly sources: readonly StageState[];
  readonly onBuild: boolean;
}

interface ArgUse {
  readonly definition: ArgDefinition;
  readonly location: Location;
  readonly value: string;
  /** Other arguments that the value was made of. */
  readonly dependencies?: ReadonlySet<string>;
}

interface Requirement {
  readonly location: Location;
  readonly required: boolean;
}

/** What the outline of a stage lists. */
export class OutlineNotes {
  readonly args = new Map<string, ArgUse>();
  readonly usedArgs = new Set<string>();
  readonly secrets = new Map<string, Requirement>();
  readonly ssh = new Map<string, Requirement>();
}

/** A stage on its way from instructions to a graph; also images that only COPY or a mount names. */
export class StageState {
  readonly stage: Stage;
  /** Expanded, and later the resolved image name. */
  baseName: string;
  /** What progress shows in brackets; empty when there is only one stage. */
  displayName: string;
  /** The stage that this one builds on. */
  base: StageState | undefined;
  namedContext: NamedContext | undefined;
  /** Asked for with --platform, later what the stage runs on. */
  platform: Platform | undefined;
  /** No stage of the Dockerfile: an image named in COPY --from or a mount. */
  readonly unregistered: boolean;
  readonly dependencies = new Map<StageState, Location>();
  commands: PlannedCommand[] = [];
  image: ImageConfig = noImageConfig();
  baseImage: ImageConfig | undefined;
  output: Output | undefined;
  /** The platform of the state, which ops without one of their own inherit. */
  statePlatform: Platform | undefined;
  env = new Environment();
  directory = '/';
  user = '';
  hostname = '';
  /** Declared arguments with their values when they were last declared, in the order in which they were first. */
  buildArgs = new Map<string, string | undefined>();
  /** Paths of this file system that others read; shared along a chain of bases. */
  paths = new Set<string>();
  /** Paths of the build context that this stage reads. */
  readonly contextPaths = new Set<string>();
  readonly outline = new OutlineNotes();
  ignoreCache = false;
  resolved = false;
  dispatched = false;
  onBuildRead = false;
  workdirSet = false;
  stepsTotal = 0;
  step = 0;
  /** Where CMD, ENTRYPOINT and HEALTHCHECK stood last in this stage. */
  readonly lastOf = new Map<'cmd' | 'entrypoint' | 'healthcheck', Location>();

  constructor(stage: Stage, baseName: string, unregistered = false) {
    this.stage = stage;
    this.baseName = baseName;
    this.displayName = stage.name;
    this.unregistered = unregistered;
  }

  /** Takes over what the base stage left. */
  inherit(): void {
    const { base } = this;
    if (base === undefined) return;
    this.output = base.output;
    this.statePlatform = base.statePlatform;
    this.env = base.env.clone();
    this.directory = base.directory;
    this.user = base.user;
    this.hostname = base.hostname;
    this.platform = base.platform;
    this.image = cloneImageConfig(base.image);
    this.image.config.onBuild = [];
    this.baseImage = base.baseImage;
    this.paths = base.paths;
    this.workdirSet = base.workdirSet;
    this.buildArgs = new Map(base.buildArgs);
  }
}

/** All stages in order, by name, and by index. */
export class StageTable {
  readonly all: StageState[] = [];
  readonly #byName = new Map<string, StageState>();
  readonly #known = new Set<StageState>();

  add(state: StageState): void {
    this.all.push(state);
    this.#known.add(state);
    state.base = this.#byName.get(state.baseName);
    if (state.stage.name !== '') this.#byName.set(state.stage.name.toLowerCase(), state);
  }

  has(state: StageState): boolean {
    return this.#known.has(state);
  }

  byName(name: string): StageState | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  names(): string[] {
    return this.all.map(({ displayName }) => displayName).filter((name) => name !== '');
  }
}

/** `state` and everything it builds on or copies from. */
export function reachableFrom(state: StageState): Set<StageState> {
  const found = new Set([state]);
  for (const current of found) {
    if (current.base !== undefined) found.add(current.base);
    for (const dependency of current.dependencies.keys()) found.add(dependency);
  }
  return found;
}

/** Paths relative to a root, sorted; none when the whole is wanted. */
export function followPaths(paths: ReadonlySet<string>): string[] {
  if (paths.has('/')) return [];
  return [...paths].map((path) => path.replace(/^\/+/, '')).sort();
}
