import { posix } from 'node:path';
import {
  annotate,
  CodedError,
  type Digest,
  digestOf,
  invalidArgument,
  type Platform,
  parseIgnoreFile,
} from '../base/index.ts';
import {
  type Definition,
  givenOutput,
  http,
  lateOutput,
  local as localSource,
  marshalOutput,
  type Output,
  type SourceInfo,
} from '../llb/index.ts';
import { fileVertex } from './file-op.ts';
import type { CallOptions, DockerfileClient, FrontendRef } from './frontend-interface.ts';
import { parseGitRef } from './git-ref.ts';
import { joinPath } from './paths.ts';
import { gitSource } from './sources.ts';

/** Bigger files are refused before they are read. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const IGNORE_FILE = '.dockerignore';

/** The Dockerfile as read, and the vertex that brought it. */
export interface Entrypoint {
  readonly text: string;
  readonly source: SourceInfo;
  readonly vertex: Digest;
}

/** What an ignore file says, or why there is no telling: then the context it belongs to cannot be used, which only those builds notice that use it. */
interface IgnoreRules {
  readonly patterns: readonly string[];
  readonly failure?: unknown;
}

interface MainContext {
  /** Undefined: the client's local directory. */
  readonly remote: Output | undefined;
  /** Where the Dockerfile is, unless local. */
  readonly dockerfile: Output | undefined;
  readonly filename: string;
}

/** The build context, the Dockerfile and the ignore file, wherever the options say they are. */
export class BuildContexts {
  readonly #client: DockerfileClient;
  readonly #keepGitDir: boolean;
  readonly #platform: Platform;
  readonly #dockerfileLocal: string;
  #main: Promise<MainContext> | undefined;
  #ignore: Promise<IgnoreRules> | undefined;
  #ownIgnoreFile: { readonly name: string; readonly text: string } | undefined;

  constructor(client: DockerfileClient, keepGitDir: boolean, platform: Platform) {
    this.#client = client;
    this.#keepGitDir = keepGitDir;
    this.#platform = platform;
    this.#dockerfileLocal = client.options.get('dockerfilekey') ?? 'dockerfile';
  }

  /** The session that serves a local directory. */
  sessionOf(local: string): string {
    return this.#client.options.get(`local-sessionid:${local}`) ?? this.#client.sessionId;
  }

  /** Solves a graph of one output. */
  async solve(
    output: Output | undefined,
    options: CallOptions,
    evaluate = false,
  ): Promise<FrontendRef & { definition: Definition }> {
    const definition = marshalOutput(output, { platform: this.#platform });
    const ref = await this.#client.solve({ definition, evaluate }, options);
    if (ref === undefined)
      throw new CodedError('not_found', 'no such file or directory: the input is scratch', { fault: 'user' });
    return {
      id: ref.id,
      definition,
      readFile: ref.readFile.bind(ref),
      statFile: ref.statFile.bind(ref),
    };
  }

  async readDockerfile(options: CallOptions): Promise<Entrypoint> {
    const main = await this.#mainContext(options);
    const { filename } = main;
    const isDefaultName = posix.basename(filename) === 'Dockerfile';
    const lowerCase = joinPath(posix.dirname(filename), 'dockerfile');
    const remote = this.#client.options.has('dockerfilekey') ? undefined : main.dockerfile;
    const output =
      remote ??
      localSource(this.#dockerfileLocal, {
        sessionId: this.sessionOf(this.#dockerfileLocal),
        followPaths: [filename, `${filename}${IGNORE_FILE}`, ...(isDefaultName ? [lowerCase] : [])],
        sharedKeyHint: this.#dockerfileLocal,
        differ: { type: 'none' },
        name: `[internal] load build definition from ${filename}`,
      }).output;
    const ref = await this.solve(output, options);
    let data: Uint8Array;
    try {
      data = await readWhole(ref, filename, options);
    } catch (error) {
      const mayBeOther = isDefaultName && !isTooLarge(error) && !isSourceFailure(error);
      const other = mayBeOther ? await readOptional(ref, lowerCase, options) : undefined;
      if (other === undefined) throw unreadable(error, filename);
      data = other;
    }
    const ignore = await readOptional(ref, `${filename}${IGNORE_FILE}`, options);
    if (ignore !== undefined)
      this.#ownIgnoreFile = { name: `${filename}${IGNORE_FILE}`, text: new TextDecoder().decode(ignore) };
    return {
      text: new TextDecoder().decode(data),
      source: { filename, data, language: 'Dockerfile', definition: ref.definition },
      vertex: digestOf(ref.definition.ops.at(-2)!),
    };
  }

  /** What the ignore file keeps out of a local context; empty for remote ones, and for one that is not there. */
  async ignorePatterns(options: CallOptions): Promise<readonly string[]> {
    return (await this.#ignoreRules(options)).patterns;
  }

  #ignoreRules(options: CallOptions): Promise<IgnoreRules> {
    this.#ignore ??= this.#readIgnore(options);
    return this.#ignore;
  }

  async #readIgnore(options: CallOptions): Promise<IgnoreRules> {
    const main = await this.#mainContext(options);
    if (main.remote !== undefined) return { patterns: [] };
    let file = this.#ownIgnoreFile;
    if (file === undefined) {
      const local = 'context';
      const output = localSource(local, {
        sessionId: this.sessionOf(local),
        followPaths: [IGNORE_FILE],
        sharedKeyHint: `${local}-${IGNORE_FILE}`,
        differ: { type: 'none' },
        name: `[internal] load ${IGNORE_FILE}`,
      }).output;
      let data: Uint8Array | undefined;
      try {
        data = await readOptional(await this.solve(output, options), IGNORE_FILE, options);
      } catch (failure) {
        options.signal.throwIfAborted();
        if (isTooLarge(failure)) throw failure;
        return { patterns: [], failure };
      }
      file = { name: IGNORE_FILE, text: new TextDecoder().decode(data ?? new Uint8Array()) };
    }
    return { patterns: parseIgnoreText(file.text, file.name) };
  }

  /** The main context, with only the wanted paths when it is local. One that is not there fails the graph that uses it. */
  async mainContext(followPaths: readonly string[], options: CallOptions): Promise<Output | undefined> {
    const main = await this.#mainContext(options);
    if (main.remote !== undefined) return main.remote;
    const { patterns, failure } = await this.#ignoreRules(options);
    if (failure !== undefined)
      return lateOutput(() => {
        throw failure;
      });
    const local = 'context';
    return localSource(local, {
      sessionId: this.sessionOf(local),
      excludePatterns: patterns,
      followPaths,
      sharedKeyHint: local,
      name: '[internal] load build context',
    }).output;
  }

  /** The main context where it is not the client's directory. */
  async remoteContext(options: CallOptions): Promise<Output | undefined> {
    return (await this.#mainContext(options)).remote;
  }

  #mainContext(options: CallOptions): Promise<MainContext> {
    this.#main ??= this.#findMainContext(options);
    return this.#main;
  }

  async #findMainContext(options: CallOptions): Promise<MainContext> {
    const given = this.#client.options.get(this.#client.options.get('contextkey') ?? 'context') ?? '';
    const found =
      (await this.#gitContext(given)) ?? (await this.#httpContext(given, options)) ?? (await this.#inputs(options));
    const sub = this.#client.options.get('contextsubdir');
    if (found.remote === undefined || sub === undefined) return found;
    const scoped = fileVertex(
      undefined,
      [
        {
          kind: 'copy',
          from: found.remote,
          copy: { src: joinPath('/', sub), dest: '/', dirCopyContents: true },
        },
      ],
      {},
    );
    return { ...found, remote: scoped };
  }

  async #gitContext(given: string): Promise<MainContext | undefined> {
    const epoch = this.#client.options.get('build-arg:SOURCE_DATE_EPOCH') ?? '';
    const output = gitContext(given, this.#keepGitDir, epoch === '' ? '' : 'commit');
    return output === undefined ? undefined : { remote: output, dockerfile: output, filename: this.#filename() };
  }

  async #httpContext(given: string, options: CallOptions): Promise<MainContext | undefined> {
    if (!/^https?:\/\//.test(given)) return undefined;
    const filename = 'context';
    const output = http(given, { filename, name: '[internal] load remote build context' }).output;
    const head = await this.#headOf(output, filename, options);
    if (!isArchive(head)) return { remote: output, dockerfile: output, filename };
    const unpacked = fileVertex(
      undefined,
      [{ kind: 'copy', from: output, copy: { src: `/${filename}`, dest: '/', attemptUnpack: true } }],
      {},
    );
    return { remote: unpacked, dockerfile: unpacked, filename: this.#filename() };
  }

  async #headOf(output: Output | undefined, filename: string, options: CallOptions): Promise<Uint8Array> {
    try {
      const ref = await this.solve(output, options);
      return await ref.readFile(filename, { offset: 0, length: 1024 }, options);
    } catch (error) {
      options.signal.throwIfAborted();
      throw annotate(error, 'failed to read downloaded context');
    }
  }

  async #inputs(options: CallOptions): Promise<MainContext> {
    const inputs = await inputsOf(this.#client, options);
    return {
      remote: inputs.get('context'),
      dockerfile: inputs.get(this.#dockerfileLocal),
      filename: this.#filename(),
    };
  }

  #filename(): string {
    return this.#client.options.get('filename') ?? 'Dockerfile';
  }
}

/** The graphs given with the build. @throws CodedError for one that is none: another place must not be read in its stead */
export async function inputsOf(client: DockerfileClient, options: CallOptions): Promise<ReadonlyMap<string, Output>> {
  const inputs = await client.inputs(options);
  return new Map([...inputs].map(([name, definition]) => [name, givenOutput(definition)]));
}

/** A git context, or undefined when the text is none. */
export function gitContext(given: string, keepGitDir: boolean, mtime: string): Output | undefined {
  const git = given === '' ? undefined : parseGitRef(given);
  if (git === undefined) return undefined;
  return gitSource(
    git,
    { keepGitDir: keepGitDir || git.keepGitDir === true, checksum: git.checksum, mtime: git.mtime || mtime },
    { name: `[internal] load git source ${given}` },
  );
}

export function parseIgnoreText(text: string, name: string): string[] {
  try {
    return parseIgnoreFile(text);
  } catch (error) {
    throw invalidArgument(`failed parsing ${name}: ${(error as Error).message}`, { cause: error });
  }
}

async function readWhole(ref: FrontendRef, path: string, options: CallOptions): Promise<Uint8Array> {
  // One byte more than it may have tells that it is too large: its size need not be asked for.
  const data = await ref.readFile(path, { offset: 0, length: MAX_FILE_BYTES + 1 }, options);
  if (data.length > MAX_FILE_BYTES)
    throw CodedError.of('DOCKERFILE_TOO_LARGE', `${path} exceeds maximum allowed size of ${MAX_FILE_BYTES} bytes`);
  return data;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof CodedError && error.reason === 'DOCKERFILE_TOO_LARGE';
}

/** Whether there is no telling what files there are: the source itself could not be had. */
function isSourceFailure(error: unknown): boolean {
  return error instanceof CodedError && error.details.some(({ type }) => type === 'errdefs.Vertex');
}

/** Undefined when it is not there; too large a file is no reason to do as if it were not. */
export async function readOptional(
  ref: FrontendRef,
  path: string,
  options: CallOptions,
): Promise<Uint8Array | undefined> {
  try {
    return await readWhole(ref, path, options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (isTooLarge(error) || isSourceFailure(error)) throw error;
    return undefined;
  }
}

function unreadable(error: unknown, filename: string): CodedError {
  if (error instanceof CodedError && error.code === 'not_found' && !isSourceFailure(error))
    return CodedError.of('DOCKERFILE_NOT_FOUND', `failed to read dockerfile: ${error.message}`, {
      cause: error,
      details: error.details,
      hint: `Is there a ${filename} where the build looks for it? Its name is set with the option filename.`,
    });
  return annotate(error, 'failed to read dockerfile');
}

const MAGIC: readonly (readonly number[])[] = [
  [0x1f, 0x8b],
  [0x42, 0x5a, 0x68],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  [0x28, 0xb5, 0x2f, 0xfd],
];

/** A tar file, plain or compressed. */
function isArchive(head: Uint8Array): boolean {
  if (MAGIC.some((magic) => magic.every((byte, i) => head[i] === byte))) return true;
  return new TextDecoder('latin1').decode(head.subarray(257, 262)) === 'ustar';
}
