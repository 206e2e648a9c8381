import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { CodedError, type Digest, digestOf, HOUSE, neverAborted } from '../../../base/index.ts';
import type { ContentStore, ImmutableRef, Layer, RefOptions } from '../../../cache/ports.ts';
import { byteString, TarWriter } from '../../../oci/tar/index.ts';
import type { VertexProgress } from '../../../solver/ports.ts';
import { Outflow } from '../outflow.ts';
import type { ExportContext, ExporterDeps, PushRepository, SendTarget, SentTree, SessionFileSender } from '../ports.ts';

export interface FakeRef extends ImmutableRef {
  /** Blobs opened so far. */
  readonly opened: Digest[];
  readonly mounted: () => number;
  /** Blobs that are neither read to the end nor given up. */
  readonly reading: () => number;
  /** Handles that were taken and not given back. */
  readonly held: () => number;
  /** What each call was made with. */
  readonly asked: readonly (RefOptions & { readonly of: 'layers' | 'clamped' | 'mount' | 'openBlob' | 'check' })[];
}

interface FakeLayer {
  readonly files: Readonly<Record<string, string>>;
  readonly createdAt?: string;
  readonly description?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A ref of layers made in memory; `directory` is what its mount shows. */
export function fakeRef(layers: readonly FakeLayer[], directory = '/nonexistent'): FakeRef {
  const opened: Digest[] = [];
  const asked: FakeRef['asked'][number][] = [];
  let held = 0;
  let mounted = 0;
  let reading = 0;
  const blobs = new Map<Digest, Buffer>();
  const made: Layer[] = layers.map(({ files, createdAt, description, annotations }) => {
    const writer = new TarWriter();
    for (const [name, content] of Object.entries(files)) {
      const bytes = Buffer.from(content);
      writer.header({
        type: 'file',
        name: byteString(name),
        mode: 0o644,
        uid: 0,
        gid: 0,
        size: bytes.length,
        mtime: 0n,
      });
      if (bytes.length > 0) writer.write(bytes);
    }
    writer.finish();
    const tar = writer.take() as Buffer;
    const blob = gzipSync(tar);
    const digest = digestOf(blob);
    blobs.set(digest, blob);
    const diffId: Digest = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
    return {
      diffId,
      descriptor: {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest,
        size: blob.length,
        annotations: {
          'containerd.io/uncompressed': diffId,
          ...(createdAt === undefined ? {} : { 'buildkit/createdat': createdAt }),
          ...(description === undefined ? {} : { 'buildkit/description': description }),
          ...annotations,
        },
      },
    };
  });
  const ref: FakeRef = {
    id: 'fake',
    lazy: false,
    opened,
    mounted: () => mounted,
    reading: () => reading,
    held: () => held,
    asked,
    clone: () => {
      held++;
      return ref;
    },
    givenTo: () => {},
    release: async () => void held--,
    mounts: async () => [],
    mount: async (options) => {
      asked.push({ of: 'mount', ...options });
      mounted++;
      return {
        root: directory,
        mounts: [],
        [Symbol.asyncDispose]: async () => {
          mounted--;
        },
      };
    },
    layers: async (options) => {
      asked.push({ of: 'layers', ...options });
      return made;
    },
    packed: () => made,
    clamped: async (layer, options) => {
      asked.push({ of: 'clamped', ...options });
      return layer;
    },
    check: async (options) => void asked.push({ of: 'check', ...options }),
    openBlob: async ({ digest }, options) => {
      asked.push({ of: 'openBlob', ...options });
      opened.push(digest);
      reading++;
      const over = () => void reading--;
      return new ReadableStream(
        {
          pull: (controller) => {
            controller.enqueue(blobs.get(digest) as Buffer);
            controller.close();
            over();
          },
          cancel: over,
        },
        { highWaterMark: 0 },
      );
    },
    getMetadata: () => undefined,
    setMetadata: () => {},
  };
  return ref;
}

/** Collects what is sent to the client. */
export class FakeSender implements SessionFileSender {
  readonly files: { target: SendTarget; bytes: Buffer }[] = [];
  /** How many there were of trees. */
  transfers = 0;
  readonly trees: { target: SendTarget; directory: string; prefix: string | undefined; mtimeNs?: bigint }[] = [];

  async sendFile(target: SendTarget, source: AsyncIterable<Uint8Array>): Promise<boolean> {
    this.files.push({ target, bytes: Buffer.concat(await Array.fromAsync(source)) });
    return true;
  }

  async sendTrees(target: SendTarget, trees: readonly SentTree[]): Promise<void> {
    this.transfers++;
    for (const { directory, prefix, mtimeNs } of trees)
      this.trees.push({ target, directory, prefix: prefix?.name, ...(mtimeNs === undefined ? {} : { mtimeNs }) });
  }
}

/** Rows that were completed, in order, and the context that shows them. */
export function fakeContext(
  signal = neverAborted,
): ExportContext & { readonly rows: string[]; readonly open: Set<string>; readonly warnings: string[] } {
  const rows: string[] = [];
  const warnings: string[] = [];
  const open = new Set<string>();
  const progress: VertexProgress = {
    status: ({ id, completed }) => {
      open.add(id);
      if (completed === undefined) return;
      open.delete(id);
      rows.push(id);
    },
    log: () => {},
    warn: ({ short }) => void warnings.push(short),
  };
  return { signal, owner: HOUSE, progress, sessions: () => ['s1'], exporterId: 0, rows, open, warnings };
}

/** Only what exporters use of a store: it keeps small blobs in memory. */
export function fakeContent(): { readonly store: ContentStore; readonly blobs: Map<Digest, Uint8Array> } {
  const blobs = new Map<Digest, Uint8Array>();
  const ingest: ContentStore['ingest'] = async (source) => {
    if (!(source instanceof Uint8Array)) throw new Error('not needed here');
    const digest = digestOf(source);
    blobs.set(digest, source);
    return { digest, size: source.length };
  };
  return { store: { ingest } as ContentStore, blobs };
}

export function fakeDeps(deps: Partial<ExporterDeps>): ExporterDeps {
  const missing = () => {
    throw new Error('not needed here');
  };
  return {
    content: fakeContent().store,
    get bulk() {
      return missing();
    },
    get streams() {
      return missing();
    },
    tempDirectory: '/tmp',
    outflow: new Outflow(),
    openRepository: missing,
    ...deps,
  };
}

/** Of a repository in which nothing is, and nothing is signed. */
export const unsigned: Omit<PushRepository, 'pushBlob' | 'putManifest'> = {
  getManifest: () => Promise.reject(new CodedError('not_found', 'nothing is there')),
  getBlob: () => Promise.reject(new CodedError('not_found', 'nothing is there')),
  referrers: async () => [],
  putReferrer: () => Promise.reject(new Error('nothing is signed')),
  deleteManifest: async () => false,
};
