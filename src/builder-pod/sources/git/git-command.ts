import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import {
  type AbortOptions,
  type BuildTrust,
  DIRECT,
  type OutboundSettings,
  type WorkOptions,
} from '../../../base/index.ts';
import { makeScratch, run, type Scratch, type WorkerPool } from '../../../sys/index.ts';
import { gitError } from './remote.ts';

/** Settings of one git process, all through its environment so that no secret stands in an argument list. */
interface GitSettings {
  readonly gitDir?: string;
  readonly workTree?: string;
  readonly indexFile?: string;
  readonly cwd?: string;
  /** Transports that may be used, `file` only for our own mirror. */
  readonly protocols?: readonly string[];
  readonly config?: Readonly<Record<string, string>>;
  /** For its standard input. */
  readonly input?: string;
}

export interface GitAccess {
  /** Configuration keys with secrets: `http.<url>.extraheader`. */
  readonly config: Readonly<Record<string, string>>;
  readonly knownHosts?: string;
  /** The socket of an ssh agent. */
  readonly agentSocket?: string;
  /** Direct when absent. */
  readonly outbound?: OutboundSettings;
  /** Of the build. */
  readonly trust?: BuildTrust;
}

const CA_FILE = 'ca.pem';
const NETWORK = ['https', 'http', 'ssh', 'git'];

/** Nothing of the machine's or a user's configuration counts, no hook, helper or prompt runs. */
const CONFIG: Readonly<Record<string, string>> = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'credential.helper': '',
  'safe.directory': '*',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'protocol.version': '2',
  'advice.detachedHead': 'false',
  'init.defaultBranch': 'main',
  'fetch.recurseSubmodules': 'false',
};

/** Runs the machine's git, shut off from its configuration. Holds a private home directory: dispose it. */
export class Git implements AsyncDisposable {
  readonly #home: Scratch;
  readonly #access: GitAccess;
  readonly #options: AbortOptions;

  private constructor(home: Scratch, access: GitAccess, options: AbortOptions) {
    this.#home = home;
    this.#access = access;
    this.#options = options;
  }

  static async open(access: GitAccess, options: WorkOptions & { readonly pool: WorkerPool }): Promise<Git> {
    const { knownHosts, trust } = access;
    const files = {
      ...(knownHosts === undefined ? {} : { known_hosts: knownHosts }),
      // git knows one file, in place of the machine's.
      ...(trust === undefined || trust.ca.length === 0
        ? {}
        : { [CA_FILE]: [...getCACertificates('default'), ...trust.ca].join('\n') }),
    };
    const home = await makeScratch(options.pool, { parent: tmpdir(), prefix: 'slipway-git-', files }, options);
    return new Git(home, access, options);
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** Standard output. @throws CodedError by what git said, with `what` before it */
  async run(what: string, args: readonly string[], settings: GitSettings = {}): Promise<string> {
    const result = await this.try(args, settings);
    if (result.code !== 0) throw gitError(what, result.stderr);
    return result.stdout;
  }

  /** The same as bytes. */
  async bytes(what: string, args: readonly string[], settings: GitSettings = {}): Promise<Buffer> {
    const result = await this.#try(args, settings);
    if (result.code !== 0) throw gitError(what, result.stderr.toString());
    return result.stdout;
  }

  /** Like {@link run}, but a failure is an answer. */
  async try(args: readonly string[], settings: GitSettings = {}) {
    const result = await this.#try(args, settings);
    return { code: result.code, stdout: result.stdout.toString(), stderr: result.stderr.toString() };
  }

  async #try(args: readonly string[], settings: GitSettings) {
    // The umask is a part of the content: file modes must not depend on the daemon's.
    return await run('/bin/sh', ['-c', 'umask 0022 && exec git "$@"', 'git', ...args], {
      signal: this.#options.signal,
      env: this.#environment(settings),
      cwd: settings.cwd ?? settings.workTree ?? '/',
      dieWithParent: true,
      maxOutput: 16 << 20,
      ...(settings.input === undefined ? {} : { input: settings.input }),
    });
  }

  #environment(settings: GitSettings): Record<string, string> {
    const { knownHosts, agentSocket, outbound = { proxies: DIRECT }, trust } = this.#access;
    const env: Record<string, string> = {
      ...outboundVariables(trust?.proxies === undefined ? outbound : { ...outbound, proxies: trust.proxies }),
      ...(trust === undefined || trust.ca.length === 0 ? {} : { GIT_SSL_CAINFO: this.path(CA_FILE) }),
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: this.#home.path,
      XDG_CONFIG_HOME: this.#home.path,
      LC_ALL: 'C',
      TZ: 'UTC',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '/bin/false',
      SSH_ASKPASS: '/bin/false',
      GIT_ALLOW_PROTOCOL: (settings.protocols ?? NETWORK).join(':'),
      GIT_SSH_COMMAND: [
        'ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=30',
        `-o UserKnownHostsFile=${knownHosts === undefined ? '/dev/null' : this.path('known_hosts')}`,
        '-o IdentityFile=/dev/null',
      ].join(' '),
      GIT_SSH_VARIANT: 'ssh',
    };
    if (agentSocket !== undefined) env['SSH_AUTH_SOCK'] = agentSocket;
    if (settings.gitDir !== undefined) env['GIT_DIR'] = settings.gitDir;
    if (settings.workTree !== undefined) env['GIT_WORK_TREE'] = settings.workTree;
    if (settings.indexFile !== undefined) env['GIT_INDEX_FILE'] = settings.indexFile;
    const entries = Object.entries({ ...CONFIG, ...this.#access.config, ...settings.config });
    env['GIT_CONFIG_COUNT'] = String(entries.length);
    for (const [i, [key, value]] of entries.entries()) {
      env[`GIT_CONFIG_KEY_${i}`] = key;
      env[`GIT_CONFIG_VALUE_${i}`] = value;
    }
    return env;
  }

  /** A path in the private home. */
  path(name: string): string {
    return join(this.#home.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#home[Symbol.asyncDispose]();
  }
}

/** The way out as git and its curl know it. */
function outboundVariables({
  proxies,
  certificateFile,
  certificateDirectories,
}: OutboundSettings): Record<string, string> {
  const { http, https, noProxy } = proxies;
  return {
    // curl takes http_proxy in small letters alone.
    ...(http === undefined ? {} : { http_proxy: http }),
    ...(https === undefined ? {} : { https_proxy: https }),
    ...(noProxy === '' ? {} : { no_proxy: noProxy }),
    ...(certificateFile === undefined ? {} : { GIT_SSL_CAINFO: certificateFile }),
    // OpenSSL takes a list, curl one.
    ...(certificateDirectories === undefined ? {} : { GIT_SSL_CAPATH: certificateDirectories.split(':')[0]! }),
  };
}
