import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, type Digest, type Platform } from '../../base/index.ts';
import { LLB_CAPS, type SourceOp } from '../../llb/index.ts';
import type {
  Definition,
  DockerfileClient,
  ForwardRequest,
  FrontendRef,
  FrontendResult,
  FrontendSolveRequest,
  FrontendWarning,
  ImageConfigRequest,
  ResolvedImage,
} from '../frontend-interface.ts';

/** An image that the fake registry has. */
interface FakeImage {
  readonly digest: Digest;
  readonly config: Uint8Array;
}

/** Test double of the engine: every local source holds the same files, every solve is kept, images come from a map. */
export class FakeClient implements DockerfileClient {
  readonly solved: FrontendSolveRequest[] = [];
  readonly warnings: FrontendWarning[] = [];
  readonly lookups: { readonly reference: string; readonly request: ImageConfigRequest }[] = [];
  readonly forwarded: ForwardRequest[] = [];
  readonly options: Map<string, string>;
  readonly images = new Map<string, FakeImage>();
  readonly definitions = new Map<string, Definition>();
  /** Seconds by what sources are identified by, or their files. */
  readonly times = new Map<string, number>();
  /** The names of lookups of times. */
  readonly timed: string[] = [];
  sessionId = 'session';
  buildPlatforms: readonly Platform[] = [{ os: 'linux', architecture: 'amd64' }];
  llbCaps: ReadonlySet<string> = new Set(LLB_CAPS);
  /** What was asked of files. */
  readonly asked: string[] = [];
  /** Answers `forward`; unset, there is no other frontend. */
  onForward: ((request: ForwardRequest) => Promise<FrontendResult>) | undefined;
  readonly #files: ReadonlyMap<string, string | Uint8Array>;

  constructor(files: Readonly<Record<string, string | Uint8Array>>, options: Readonly<Record<string, string>> = {}) {
    this.#files = new Map(Object.entries(files));
    this.options = new Map(Object.entries(options));
  }

  async solve(request: FrontendSolveRequest): Promise<FrontendRef | undefined> {
    this.solved.push(request);
    if (request.definition.ops.length === 0) return undefined;
    const find = (path: string): Uint8Array => {
      const found = this.#files.get(path);
      if (found === undefined) throw new CodedError('not_found', `open ${path}: no such file or directory`);
      return typeof found === 'string' ? new TextEncoder().encode(found) : found;
    };
    return {
      id: `ref${this.solved.length}`,
      readFile: async (path, range) => {
        this.asked.push(`read ${path}`);
        const offset = range?.offset ?? 0;
        const data = find(path);
        return data.subarray(offset, range?.length === undefined ? undefined : offset + range.length);
      },
      statFile: async (path) => {
        this.asked.push(`stat ${path}`);
        return { size: find(path).length };
      },
    };
  }

  async resolveImageConfig(reference: string, request: ImageConfigRequest): Promise<ResolvedImage> {
    this.lookups.push({ reference, request });
    const image = this.images.get(reference);
    if (image === undefined) throw new CodedError('not_found', `${reference}: not found`, { fault: 'user' });
    return { reference, ...image };
  }

  async sourceTime(source: SourceOp, { logName }: { readonly logName: string }): Promise<number | undefined> {
    this.timed.push(logName);
    return this.times.get(source.identifier);
  }

  async newestInArchive(_ref: FrontendRef, path: string): Promise<number | undefined> {
    return this.times.get(path);
  }

  async forward(request: ForwardRequest): Promise<FrontendResult> {
    this.forwarded.push(request);
    if (this.onForward === undefined) throw new CodedError('unimplemented', 'no other frontend');
    return await this.onForward(request);
  }

  async inputs(): Promise<ReadonlyMap<string, Definition>> {
    return this.definitions;
  }

  warn(warning: FrontendWarning): void {
    this.warnings.push(warning);
  }

  /** The graph of the build itself: the last one solved. */
  get definition(): Definition {
    return this.solved.at(-1)!.definition;
  }

  /** Adds the images of testdata. */
  async addTestImages(): Promise<void> {
    for (const name of ['base', 'onbuild']) {
      const folder = join(import.meta.dirname, '../testdata/images');
      const digest = (await readFile(join(folder, `${name}.digest`), 'utf8')).trim() as Digest;
      this.images.set(`localhost:5955/${name}:1`, {
        digest,
        config: await readFile(join(folder, `${name}.config.json`)),
      });
    }
  }
}
