import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Digest, digestAlgorithm, digestHex } from '../../base/index.ts';

/** A manifest as stored: the bytes pushed and the media type they were pushed as. */
interface StoredManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** An entry of a referrers response (image-spec descriptor). */
export interface ReferrerDescriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

async function ignoring<T>(codes: readonly string[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codes.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * A registry's content in one directory:
 *
 *     blobs/<alg>/<hex>                                   every blob once
 *     repositories/<name>/_blobs/<alg>/<hex>              a hard link: the repository holds the blob
 *     repositories/<name>/_manifests/<alg>/<hex>          first line the media type, then the bytes
 *     repositories/<name>/_tags/<tag>                     the digest
 *     repositories/<name>/_referrers/<alg>/<hex>/<alg>-<hex>   a descriptor that names this subject
 *     temp/                                               uploads and files about to be renamed
 *
 * The file system counts the references: a blob whose only link is the one in blobs/ is removed with its last repository.
 * Repository names cannot contain a component that starts with `_`, so nothing collides.
 */
export class RegistryStorage {
  readonly root: string;
  readonly #durable: boolean;

  private constructor(root: string, durable: boolean) {
    this.root = root;
    this.#durable = durable;
  }

  /** Opens (and makes) the directory; what uploads of an earlier life left is removed. */
  static async open(root: string, options: { readonly durable: boolean }): Promise<RegistryStorage> {
    await rm(join(root, 'temp'), { recursive: true, force: true });
    for (const folder of ['temp', 'blobs/sha256', 'blobs/sha512', 'repositories'])
      await mkdir(join(root, folder), { recursive: true });
    return new RegistryStorage(root, options.durable);
  }

  /** Path of a new file in temp/. */
  tempPath(): string {
    return join(this.root, 'temp', randomUUID());
  }

  #repository(name: string, ...rest: string[]): string {
    return join(this.root, 'repositories', name, ...rest);
  }

  #entry(name: string, kind: '_blobs' | '_manifests', digest: Digest): string {
    return this.#repository(name, kind, digestAlgorithm(digest), digestHex(digest));
  }

  #blob(digest: Digest): string {
    return join(this.root, 'blobs', digestAlgorithm(digest), digestHex(digest));
  }

  /** Whether anything was ever pushed to the repository. */
  async hasRepository(name: string): Promise<boolean> {
    for (const kind of ['_manifests', '_blobs'])
      if ((await ignoring(['ENOENT', 'ENOTDIR'], stat(this.#repository(name, kind)))) !== undefined) return true;
    return false;
  }

  /** Where the repository's blob lies, and its size in bytes. */
  async findBlob(name: string, digest: Digest): Promise<{ readonly path: string; readonly size: number } | undefined> {
    const path = this.#entry(name, '_blobs', digest);
    const info = await ignoring(['ENOENT'], stat(path));
    return info === undefined ? undefined : { path, size: info.size };
  }

  /** Makes a complete, verified file in temp/ a blob of the repository. */
  async commitBlob(temp: string, name: string, digest: Digest): Promise<void> {
    if (this.#durable) {
      await using file = await open(temp, 'r');
      await file.datasync();
    }
    const global = this.#blob(digest);
    const entry = this.#entry(name, '_blobs', digest);
    await mkdir(dirname(entry), { recursive: true });
    await ignoring(['EEXIST'], link(temp, global));
    // Another repository may have dropped the last other link just now: then the temp file itself is linked.
    const linked = await ignoring(
      ['ENOENT'],
      link(global, entry).then(
        () => true,
        (error: unknown) => {
          if (errnoOf(error) === 'EEXIST') return true;
          throw error;
        },
      ),
    );
    if (linked === undefined) await ignoring(['EEXIST'], link(temp, entry));
    await this.#keep(dirname(global), dirname(entry));
    await unlink(temp);
  }

  /** Gives `name` the blob that `from` (any repository when undefined) holds; false when it is not there. */
  async mountBlob(from: string | undefined, name: string, digest: Digest): Promise<boolean> {
    const source = from === undefined ? this.#blob(digest) : this.#entry(from, '_blobs', digest);
    if ((await ignoring(['ENOENT'], stat(source))) === undefined) return false;
    const entry = this.#entry(name, '_blobs', digest);
    await mkdir(dirname(entry), { recursive: true });
    try {
      await link(source, entry);
      await this.#keep(dirname(entry));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    return true;
  }

  /** False when the repository does not hold it. */
  async deleteBlob(name: string, digest: Digest): Promise<boolean> {
    try {
      await unlink(this.#entry(name, '_blobs', digest));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
    const info = await ignoring(['ENOENT'], stat(this.#blob(digest)));
    if (info?.nlink === 1) await ignoring(['ENOENT'], unlink(this.#blob(digest)));
    return true;
  }

  async putManifest(name: string, digest: Digest, manifest: StoredManifest): Promise<void> {
    await this.#write(
      this.#entry(name, '_manifests', digest),
      Buffer.concat([Buffer.from(`${manifest.mediaType}\n`), manifest.bytes]),
    );
  }

  async getManifest(name: string, digest: Digest): Promise<StoredManifest | undefined> {
    const file = await ignoring(['ENOENT'], readFile(this.#entry(name, '_manifests', digest)));
    if (file === undefined) return undefined;
    const newline = file.indexOf(10);
    return { mediaType: file.toString('utf8', 0, newline), bytes: file.subarray(newline + 1) };
  }

  async hasManifest(name: string, digest: Digest): Promise<boolean> {
    return (await ignoring(['ENOENT'], stat(this.#entry(name, '_manifests', digest)))) !== undefined;
  }

  /** Removes the manifest and every tag on it; false when it is not there. */
  async deleteManifest(name: string, digest: Digest): Promise<boolean> {
    for (const tag of await this.tags(name))
      if ((await this.getTag(name, tag)) === digest) await this.deleteTag(name, tag);
    try {
      await unlink(this.#entry(name, '_manifests', digest));
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async putTag(name: string, tag: string, digest: Digest): Promise<void> {
    await this.#write(this.#repository(name, '_tags', tag), Buffer.from(digest));
  }

  async getTag(name: string, tag: string): Promise<Digest | undefined> {
    return (await ignoring(['ENOENT'], readFile(this.#repository(name, '_tags', tag), 'utf8'))) as Digest | undefined;
  }

  async deleteTag(name: string, tag: string): Promise<boolean> {
    try {
      await unlink(this.#repository(name, '_tags', tag));
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** All tags in byte order. */
  async tags(name: string): Promise<readonly string[]> {
    return ((await ignoring(['ENOENT'], readdir(this.#repository(name, '_tags')))) ?? []).sort();
  }

  #referrers(name: string, subject: Digest): string {
    return this.#repository(name, '_referrers', digestAlgorithm(subject), digestHex(subject));
  }

  async addReferrer(name: string, subject: Digest, referrer: ReferrerDescriptor): Promise<void> {
    await this.#write(
      join(this.#referrers(name, subject), referrer.digest.replace(':', '-')),
      Buffer.from(JSON.stringify(referrer)),
    );
  }

  async removeReferrer(name: string, subject: Digest, referrer: Digest): Promise<void> {
    await ignoring(['ENOENT'], unlink(join(this.#referrers(name, subject), referrer.replace(':', '-'))));
  }

  async referrers(name: string, subject: Digest): Promise<readonly ReferrerDescriptor[]> {
    const folder = this.#referrers(name, subject);
    const found: ReferrerDescriptor[] = [];
    for (const file of ((await ignoring(['ENOENT'], readdir(folder))) ?? []).sort()) {
      const text = await ignoring(['ENOENT'], readFile(join(folder, file), 'utf8'));
      if (text !== undefined) found.push(JSON.parse(text) as ReferrerDescriptor);
    }
    return found;
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const temp = this.tempPath();
    {
      await using file = await open(temp, 'wx', 0o644);
      await file.writeFile(bytes);
      if (this.#durable) await file.datasync();
    }
    await mkdir(dirname(path), { recursive: true });
    await rename(temp, path);
    await this.#keep(dirname(path));
  }

  /** Flushes names, without which a file that was flushed is lost all the same. */
  async #keep(...folders: readonly string[]): Promise<void> {
    if (!this.#durable) return;
    for (const folder of folders) {
      await using handle = await open(folder, 'r');
      await handle.sync();
    }
  }
}
