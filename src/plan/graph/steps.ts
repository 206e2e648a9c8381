import { isDigest, type Platform, parsePlatform, toCodedError } from '../../base/index.ts';
import {
  diff,
  type ExecState,
  FileActions,
  git,
  http,
  image,
  type MountOptions,
  merge,
  type RunOptions,
  type SecretOptions,
  type SshOptions,
  State,
  type StepOptions,
  scratch,
} from '../../llb/index.ts';
import {
  type BuildSpec,
  type GraphAction,
  type GraphMount,
  type GraphStep,
  STEP_KINDS,
} from '../../resources/index.ts';
import { FILE_TIME, inlineState } from '../inline.ts';
import { type Arguments, byName, checkedPath, expand, fault } from './fields.ts';
import { splitInput, stepField } from './order.ts';

/** What a step is made with. */
export interface Making {
  readonly spec: BuildSpec;
  readonly args: Arguments;
  readonly made: ReadonlyMap<string, MadeStep>;
  /** The files of a context of the Build; the main one without a name. */
  readonly context: (step: GraphStep, field: string, options: StepOptions) => State;
}

/** `run` where it has mounts that others may name. */
export interface MadeStep {
  readonly state: State;
  readonly run?: ExecState;
}

/** Fields that say something of a step of any kind. */
const OF_ALL = ['from', 'env', 'cwd', 'user', 'platform', 'noCache', 'description'];
const OF_KIND: Readonly<Record<string, readonly string[]>> = {
  run: ['mounts', 'hosts', 'network', 'insecure', 'exitCodes'],
  exec: ['mounts', 'hosts', 'network', 'insecure', 'exitCodes'],
};
/** Kinds that begin anew. */
const SOURCES = ['image', 'git', 'http', 'context', 'merge', 'diff'];

/** One step of the graph. @throws CodedError that names the field */
export function makeStep(name: string, step: GraphStep, making: Making): MadeStep {
  const field = stepField(name);
  const kind = STEP_KINDS.find((one) => step[one] !== undefined);
  if (kind === undefined) throw fault(field, `exactly one of ${STEP_KINDS.join(', ')} must be set`);
  for (const key of Object.keys(step)) {
    if (key === kind || OF_KIND[kind]?.includes(key)) continue;
    if (key === 'from' && SOURCES.includes(kind)) throw fault(`${field}.from`, `${kind} starts from nothing`);
    if (!OF_ALL.includes(key)) throw fault(`${field}.${key}`, `is not for ${kind}`);
  }
  const maker = new StepMaker(name, step, making);
  return maker.make(kind);
}

class StepMaker {
  readonly #name: string;
  readonly #step: GraphStep;
  readonly #making: Making;
  readonly #field: string;

  constructor(name: string, step: GraphStep, making: Making) {
    this.#name = name;
    this.#step = step;
    this.#making = making;
    this.#field = stepField(name);
  }

  make(kind: (typeof STEP_KINDS)[number]): MadeStep {
    const step = this.#step;
    switch (kind) {
      case 'image': {
        const reference = this.#text('image', step.image as string);
        return this.#source(() => image(reference, this.#options(`image ${reference}`)), 'image');
      }
      case 'git':
        return this.#git(step.git as NonNullable<GraphStep['git']>);
      case 'http':
        return this.#http(step.http as NonNullable<GraphStep['http']>);
      case 'context': {
        const { name = 'spec.source' } = step.context as NonNullable<GraphStep['context']>;
        return this.#source(
          () => this.#making.context(step, `${this.#field}.context`, this.#options(`context ${name}`)),
          undefined,
        );
      }
      case 'files': {
        const files = step.files as Readonly<Record<string, string>>;
        for (const path of Object.keys(files)) checkedPath(path, `${this.#field}.files`);
        const base = this.#base();
        return { state: inlineState(files, `${this.#field}.files`, this.#options('write files'), base) };
      }
      case 'run':
        return this.#run(['/bin/sh', '-c', step.run as string], step.run as string);
      case 'exec': {
        const words = (step.exec as readonly string[]).map((word, at) => this.#text(`exec[${at}]`, word));
        if (words[0] === '') throw this.#fault('exec[0]', 'must name a command');
        return this.#run(words, words.join(' '));
      }
      case 'actions':
        return { state: this.#actions(step.actions as readonly GraphAction[]) };
      case 'merge': {
        const all = (step.merge as readonly string[]).map((text, at) => this.#input(`merge[${at}]`, text));
        return { state: this.#settings(merge(all, this.#options(`merge ${step.merge?.join(', ')}`))) };
      }
      case 'diff': {
        const { lower, upper } = step.diff as NonNullable<GraphStep['diff']>;
        const made = diff(
          this.#input('diff.lower', lower),
          this.#input('diff.upper', upper),
          this.#options(`diff ${lower} -> ${upper}`),
        );
        return { state: this.#settings(made) };
      }
    }
  }

  #git({ url: given, ref, subPath, checksum, keepGitDir, submodules }: NonNullable<GraphStep['git']>): MadeStep {
    const url = this.#text('git.url', given);
    if (/[#?\s]/.test(url)) throw this.#fault('git.url', 'give ref and subPath as fields of their own');
    if (/^[a-z]+:\/\/[^/@]*:[^/@]*@/i.test(url))
      throw this.#fault('git.url', 'must have no password; make it a context of the Build with a secretRef');
    const at = ref === undefined ? undefined : this.#text('git.ref', ref);
    if (at !== undefined && /[\s:#]|^-/.test(at)) throw this.#fault('git.ref', `${JSON.stringify(at)} is no ref`);
    return this.#source(
      () =>
        git(url, {
          ...(at === undefined ? {} : { ref: at }),
          ...(subPath === undefined ? {} : { subDir: this.#path('git.subPath', subPath) }),
          ...(checksum === undefined ? {} : { checksum: this.#text('git.checksum', checksum) }),
          ...(keepGitDir ? { keepGitDir } : {}),
          ...(submodules === false ? { skipSubmodules: true } : {}),
          ...this.#options(`git ${url}${at === undefined ? '' : `#${at}`}`),
        }),
      'git.url',
    );
  }

  #http({ url: given, checksum, filename, mode, uid, gid }: NonNullable<GraphStep['http']>): MadeStep {
    const url = this.#text('http.url', given);
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw this.#fault('http.url', `${JSON.stringify(url)} is no http or https URL`);
    const digest = checksum === undefined ? undefined : this.#text('http.checksum', checksum);
    if (digest !== undefined && !isDigest(digest))
      throw this.#fault('http.checksum', `${JSON.stringify(digest)} is no digest such as sha256:<hex>`);
    const file = filename === undefined ? undefined : this.#text('http.filename', filename);
    if (file !== undefined && (/[/\0]/.test(file) || file === '.' || file === '..'))
      throw this.#fault('http.filename', `${JSON.stringify(file)} is no name of a file`);
    return this.#source(
      () =>
        http(url, {
          ...(digest === undefined ? {} : { checksum: digest }),
          ...(file === undefined ? {} : { filename: file }),
          ...(mode === undefined ? {} : { permissions: this.#octal('http.mode', mode) }),
          ...(uid === undefined ? {} : { uid }),
          ...(gid === undefined ? {} : { gid }),
          ...this.#options(`http ${url}`),
        }),
      'http.url',
    );
  }

  #run(args: readonly string[], told: string): MadeStep {
    const { mounts = [], exitCodes, network = this.#making.spec.network, insecure, hosts } = this.#step;
    const binds: MountOptions[] = [];
    const secrets: SecretOptions[] = [];
    const ssh: SshOptions[] = [];
    const targets = new Set(['/']);
    let base = this.#base();
    if (base.output === undefined) throw this.#fault('from', 'a command needs files to run: name a step');
    for (const [at, mount] of mounts.entries())
      this.#mount(mount, `mounts[${at}]`, base.values.dir, { binds, secrets, ssh, targets });
    if (network === 'none' || network === 'host') base = base.network(network);
    if (insecure) base = base.security('insecure');
    for (const [host, ip] of Object.entries(hosts ?? {}).sort(byName))
      base = base.extraHost(host, this.#text(`hosts.${host}`, ip));
    this.#entitled(network === 'host', 'network', 'network.host');
    this.#entitled(insecure === true, 'insecure', 'security.insecure');
    const options: RunOptions = {
      args,
      ...(binds.length === 0 ? {} : { mounts: binds }),
      ...(secrets.length === 0 ? {} : { secrets }),
      ...(ssh.length === 0 ? {} : { ssh }),
      ...(exitCodes === undefined ? {} : { validExitCodes: exitCodes }),
      ...this.#options(told),
    };
    const run = base.run(options);
    // What holds for this run alone does not hold for those from it.
    const state = new State(run.root.output, {
      ...run.root.values,
      network: 'unset',
      security: 'sandbox',
      extraHosts: [],
    });
    return { state, run };
  }

  #mount(
    { target: given, from, path, readonly, discard, cache, tmpfs, secret, ssh }: GraphMount,
    at: string,
    dir: string,
    into: {
      readonly binds: MountOptions[];
      readonly secrets: SecretOptions[];
      readonly ssh: SshOptions[];
      readonly targets: Set<string>;
    },
  ): void {
    const kinds = [cache ?? from, tmpfs, secret, ssh].filter((kind) => kind !== undefined);
    if (kinds.length !== 1)
      throw this.#fault(at, 'must be one of from, cache, tmpfs, secret, ssh (a cache may have from, too)');
    for (const [key, value] of Object.entries({ path, readonly, discard }))
      if (value !== undefined && (from === undefined || (cache !== undefined && key !== 'path')))
        throw this.#fault(`${at}.${key}`, 'is for files of another step');
    const target = given === undefined ? undefined : joined(dir, this.#path(`${at}.target`, given));
    if (target !== undefined) {
      if (into.targets.has(target)) throw this.#fault(`${at}.target`, `${target} is mounted already`);
      into.targets.add(target);
    }
    const owned = ({ uid, gid, mode, optional }: NonNullable<typeof ssh>, kind: string) => ({
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(mode === undefined ? {} : { mode: this.#octal(`${at}.${kind}.mode`, mode) }),
      ...(optional === undefined ? {} : { optional }),
    });
    if (secret !== undefined) {
      const { id, env } = secret;
      this.#known(this.#making.spec.secrets, id, secret.optional, `${at}.secret.id`, 'spec.secrets');
      const file =
        target ?? (env === undefined ? `/run/secrets/${checkedPath(id, `${this.#field}.${at}.secret.id`)}` : undefined);
      into.secrets.push({
        id,
        ...(file === undefined ? {} : { target: file }),
        ...(env === undefined ? {} : { env }),
        ...owned(secret, 'secret'),
      });
      return;
    }
    if (ssh !== undefined) {
      const { id = 'default' } = ssh;
      this.#known(this.#making.spec.ssh, id, ssh.optional, `${at}.ssh.id`, 'spec.ssh');
      into.ssh.push({ id, ...(target === undefined ? {} : { target }), ...owned(ssh, 'ssh') });
      return;
    }
    if (target === undefined) throw this.#fault(`${at}.target`, 'is needed');
    if (tmpfs !== undefined) {
      const size = tmpfs.size === undefined ? {} : { size: this.#bytes(`${at}.tmpfs.size`, tmpfs.size) };
      into.binds.push({ target, tmpfs: size });
      return;
    }
    into.binds.push({
      target,
      ...(from === undefined ? {} : { source: this.#input(`${at}.from`, from) }),
      ...(path === undefined ? {} : { selector: this.#path(`${at}.path`, path) }),
      ...(readonly ? { readonly } : {}),
      ...(discard ? { noOutput: discard } : {}),
      ...(cache === undefined
        ? {}
        : {
            cache: {
              id: cache.id === undefined ? target : this.#text(`${at}.cache.id`, cache.id),
              ...(cache.sharing === undefined ? {} : { sharing: cache.sharing }),
            },
          }),
    });
  }

  #actions(all: readonly GraphAction[]): State {
    let actions = new FileActions();
    const told: string[] = [];
    for (const [index, { copy, mkdir, mkfile, rm, symlink }] of all.entries()) {
      const at = `actions[${index}]`;
      const written = ({ owner }: { readonly owner?: string | undefined }, kind: string) => ({
        ...(owner === undefined ? {} : { owner: this.#text(`${at}.${kind}.owner`, owner) }),
        timestamp: FILE_TIME,
      });
      if (copy !== undefined) {
        const { from, path = '/', to, include, exclude, owner, mode, unpack, keepLinks, optional } = copy;
        const source = this.#input(`${at}.copy.from`, from);
        if (source.output === undefined) throw this.#fault(`${at}.copy.from`, 'there is nothing in scratch');
        const src = this.#path(`${at}.copy.path`, path);
        const dest = this.#path(`${at}.copy.to`, to);
        told.push(`copy ${from} ${src} ${dest}`);
        actions = actions.copy(source, src, dest, {
          followSymlink: keepLinks !== true,
          dirCopyContents: true,
          createDestPath: true,
          allowWildcard: true,
          ...(optional ? { allowEmptyWildcard: true } : {}),
          ...(unpack ? { attemptUnpack: true } : {}),
          ...(include === undefined ? {} : { includePatterns: include }),
          ...(exclude === undefined ? {} : { excludePatterns: exclude }),
          ...(mode === undefined ? {} : { mode: copyMode(mode) }),
          ...(owner === undefined ? {} : { owner: this.#text(`${at}.copy.owner`, owner) }),
        });
      } else if (mkdir !== undefined) {
        const path = this.#path(`${at}.mkdir.path`, mkdir.path);
        told.push(`mkdir ${path}`);
        const bits = mkdir.mode === undefined ? 0o755 : this.#octal(`${at}.mkdir.mode`, mkdir.mode);
        actions = actions.mkdir(path, bits, { makeParents: true, ...written(mkdir, 'mkdir') });
      } else if (mkfile !== undefined) {
        const path = this.#path(`${at}.mkfile.path`, mkfile.path);
        if (path.endsWith('/'))
          throw this.#fault(`${at}.mkfile.path`, `${JSON.stringify(path)} is the name of a folder`);
        told.push(`write ${path}`);
        const bits = mkfile.mode === undefined ? 0o644 : this.#octal(`${at}.mkfile.mode`, mkfile.mode);
        actions = actions.mkfile(path, bits, Buffer.from(mkfile.content ?? ''), written(mkfile, 'mkfile'));
      } else if (rm !== undefined) {
        const path = this.#path(`${at}.rm.path`, rm.path);
        told.push(`remove ${path}`);
        actions = actions.rm(path, { allowWildcard: true, ...(rm.optional ? { allowNotFound: true } : {}) });
      } else if (symlink !== undefined) {
        const path = this.#path(`${at}.symlink.path`, symlink.path);
        // A link may lead anywhere: it is followed in the file system that it is in.
        const target = this.#text(`${at}.symlink.target`, symlink.target);
        told.push(`link ${path} -> ${target}`);
        actions = actions.symlink(target, joined(this.#base().values.dir, path), written(symlink, 'symlink'));
      } else throw this.#fault(at, 'exactly one of copy, mkdir, mkfile, rm, symlink must be set');
    }
    return this.#base().file(actions, this.#options(told.join(', ')));
  }

  /** With what holds for this step and those from it. */
  #settings(state: State): State {
    const { env, cwd, user } = this.#step;
    let set = state;
    for (const [name, value] of Object.entries(env ?? {}).sort(byName))
      set = set.env(name, this.#text(`env.${name}`, value));
    if (cwd !== undefined) set = set.dir(this.#path('cwd', cwd));
    if (user !== undefined) set = set.user(this.#text('user', user));
    const platform = this.#platform();
    return platform === undefined ? set : set.platform(platform);
  }

  #base(): State {
    const { from } = this.#step;
    return this.#settings(from === undefined ? scratch() : this.#input('from', from));
  }

  #source(make: () => State, at: string | undefined): MadeStep {
    try {
      return { state: this.#settings(make()) };
    } catch (error) {
      const coded = toCodedError(error);
      if (at === undefined || coded.message.startsWith(this.#field)) throw error;
      throw fault(`${this.#field}.${at}`, coded.message, error);
    }
  }

  /** The files of the step that a field names. */
  #input(at: string, text: string): State {
    const { name, target } = splitInput(text);
    if (name === 'scratch') return scratch();
    const made = this.#making.made.get(name) as MadeStep;
    if (target === undefined) return made.state;
    if (made.run === undefined) throw this.#fault(at, `${name} runs nothing, so it has no mounts`);
    try {
      return made.run.mount(target);
    } catch (error) {
      throw fault(`${this.#field}.${at}`, `${name}: ${toCodedError(error).message}`, error);
    }
  }

  #platform(): Platform | undefined {
    const { platform } = this.#step;
    if (platform === undefined) return undefined;
    const text = this.#text('platform', platform);
    try {
      return parsePlatform(text);
    } catch (error) {
      throw fault(`${this.#field}.platform`, toCodedError(error).message, error);
    }
  }

  #options(told: string): StepOptions {
    const { description, noCache } = this.#step;
    const platform = this.#platform();
    const line = (description ?? told).replace(/\s+/g, ' ').trim();
    return {
      name: `[${this.#name}] ${line.length > 200 ? `${line.slice(0, 199)}…` : line}`,
      ...(platform === undefined ? {} : { platform }),
      ...(noCache || this.#making.spec.cache?.noCache ? { ignoreCache: true } : {}),
    };
  }

  #entitled(needs: boolean, at: string, entitlement: 'network.host' | 'security.insecure'): void {
    if (needs && !this.#making.spec.entitlements?.includes(entitlement))
      throw this.#fault(at, `needs the entitlement ${entitlement}: name it in spec.entitlements`);
  }

  #known(
    given: readonly { readonly id: string }[] | undefined,
    id: string,
    optional: boolean | undefined,
    at: string,
    where: string,
  ): void {
    if (optional !== true && given?.some((one) => one.id === id) !== true)
      throw this.#fault(at, `${where} has no ${JSON.stringify(id)}`);
  }

  #text(at: string, text: string): string {
    return expand(text, `${this.#field}.${at}`, this.#making.args);
  }

  #path(at: string, text: string): string {
    return checkedPath(this.#text(at, text), `${this.#field}.${at}`);
  }

  #octal(at: string, text: string): number {
    if (/^[0-7]{3,5}$/.test(text)) return Number.parseInt(text, 8);
    throw this.#fault(at, `${JSON.stringify(text)} must be octal, such as "0755"`);
  }

  #bytes(at: string, text: string): number {
    const [, number, unit = ''] = /^([0-9]{1,9})(Ki|Mi|Gi)?$/.exec(text) ?? [];
    if (number === undefined) throw this.#fault(at, `${JSON.stringify(text)} is no size such as 64Mi`);
    return Number(number) * 1024 ** ['', 'Ki', 'Mi', 'Gi'].indexOf(unit);
  }

  #fault(at: string, what: string) {
    return fault(`${this.#field}.${at}`, what);
  }
}

const joined = (dir: string, path: string): string => new State(undefined).dir(dir).dir(path).values.dir;

const copyMode = (mode: string): number | string => (/^[0-7]+$/.test(mode) ? Number.parseInt(mode, 8) : mode);
