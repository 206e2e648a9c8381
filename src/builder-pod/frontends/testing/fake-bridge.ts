import { CodedError } from '../../../base/index.ts';
import { type Definition, LLB_CAPS } from '../../../llb/index.ts';
import type {
  BridgeCall,
  BridgeContainer,
  BridgeImage,
  BridgeImageRequest,
  BridgeRange,
  BridgeResult,
  BridgeSolveRequest,
  BridgeSourceMeta,
  BridgeStat,
  BridgeWarning,
  FrontendBridge,
} from '../bridge.ts';

/** A bridge whose refs all hold the same files. */
export class FakeBridge implements FrontendBridge {
  readonly sessionId = 'session';
  readonly workers = [{ id: 'worker', labels: {}, platforms: [{ os: 'linux', architecture: 'amd64' }] }];
  readonly llbCaps = [...LLB_CAPS];
  readonly solved: BridgeSolveRequest[] = [];
  readonly warnings: BridgeWarning[] = [];
  readonly images = new Map<string, BridgeImage>();
  /** Signals of calls that never end. */
  readonly pending: AbortSignal[] = [];
  /** Replaces the answer to `solve` of another frontend. */
  onFrontend: ((request: BridgeSolveRequest, call: BridgeCall) => Promise<BridgeResult>) | undefined;
  hangOnSolve = false;
  readonly #files: Readonly<Record<string, string>>;

  constructor(files: Readonly<Record<string, string>>) {
    this.#files = files;
  }

  async solve(request: BridgeSolveRequest, call: BridgeCall): Promise<BridgeResult> {
    this.solved.push(request);
    if (this.hangOnSolve) {
      this.pending.push(call.signal);
      await new Promise((_, reject) =>
        call.signal.addEventListener('abort', () => reject(call.signal.reason), { once: true }),
      );
    }
    if (request.frontend !== undefined) {
      if (this.onFrontend === undefined) throw new CodedError('unimplemented', 'no frontends here');
      return await this.onFrontend(request, call);
    }
    return { ref: { id: `ref${this.solved.length}` }, metadata: new Map() };
  }

  async readFile(_: string, path: string, range: BridgeRange | undefined): Promise<Uint8Array> {
    const text = this.#files[path];
    if (text === undefined) throw new CodedError('not_found', `open ${path}: no such file or directory`);
    const data = new TextEncoder().encode(text);
    const offset = range?.offset ?? 0;
    return data.subarray(offset, range?.length === undefined ? undefined : offset + range.length);
  }

  async readDir(): Promise<readonly BridgeStat[]> {
    return [];
  }

  async statFile(_: string, path: string): Promise<BridgeStat> {
    const text = this.#files[path];
    if (text === undefined) throw new CodedError('not_found', `stat ${path}: no such file or directory`);
    return {
      path,
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: text.length,
      modTime: 0n,
      linkname: '',
      devmajor: 0,
      devminor: 0,
    };
  }

  async evaluate(): Promise<void> {}

  async resolveImageConfig(request: BridgeImageRequest): Promise<BridgeImage> {
    const image = this.images.get(request.reference);
    if (image === undefined)
      throw CodedError.of('REGISTRY_REFUSED', `${request.reference}: not found`, { code: 'not_found' });
    return image;
  }

  async resolveSourceMeta(): Promise<BridgeSourceMeta> {
    throw new CodedError('unimplemented', 'no source metadata here');
  }

  async inputs(): Promise<ReadonlyMap<string, Definition>> {
    return new Map();
  }

  async newContainer(): Promise<void> {
    throw new CodedError('unimplemented', 'no containers here');
  }

  container(id: string): BridgeContainer {
    throw new CodedError('not_found', `no such container: ${id}`);
  }

  warn(warning: BridgeWarning): void {
    this.warnings.push(warning);
  }
}
