import { createHash } from 'node:crypto';
import { type Digest, digestAlgorithm, digestHex, digestOf, isDigest } from '../../base/index.ts';
import { isIndexType, isManifestType, MEDIA_TYPE } from '../manifest/index.ts';
import { readBytes } from './access.ts';
import { methodRefused } from './blobs.ts';
import { answerJson, digestParameter, type Exchange, type RegistryParts, validTag } from './exchange.ts';
import { Problem } from './problem.ts';
import type { ReferrerDescriptor } from './storage.ts';

interface ParsedManifest {
  readonly mediaType?: unknown;
  readonly artifactType?: unknown;
  readonly annotations?: unknown;
  readonly config?: unknown;
  readonly layers?: unknown;
  readonly manifests?: unknown;
  readonly subject?: unknown;
}

/** GET, HEAD, PUT and DELETE of `/v2/<name>/manifests/<tag or digest>`. */
export async function serveManifest(parts: RegistryParts, exchange: Exchange): Promise<void> {
  const { request, response, name, reference } = exchange;
  if (!reference.includes(':') && !validTag(reference))
    throw new Problem(
      request.method === 'PUT' ? 400 : 404,
      'MANIFEST_INVALID',
      `invalid tag ${JSON.stringify(reference)}`,
    );
  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      parts.access.check(request, [{ repository: name, action: 'pull' }]);
      const digest = await resolve(parts, name, reference);
      const manifest = digest === undefined ? undefined : await parts.storage.getManifest(name, digest);
      if (digest === undefined || manifest === undefined) throw unknown(reference);
      response.writeHead(200, {
        'content-type': manifest.mediaType,
        'content-length': manifest.bytes.length,
        'docker-content-digest': digest,
        etag: `"${digest}"`,
      });
      response.end(request.method === 'HEAD' ? undefined : manifest.bytes);
      return;
    }
    case 'PUT':
      parts.access.check(request, [{ repository: name, action: 'push' }]);
      await put(parts, exchange);
      return;
    case 'DELETE':
      parts.access.check(request, [{ repository: name, action: 'delete' }]);
      if (!(await remove(parts, name, reference))) throw unknown(reference);
      response.writeHead(202, { 'content-length': 0 }).end();
      return;
    default:
      throw methodRefused();
  }
}

async function resolve(parts: RegistryParts, name: string, reference: string): Promise<Digest | undefined> {
  return reference.includes(':') ? digestParameter(reference) : await parts.storage.getTag(name, reference);
}

async function put(parts: RegistryParts, { request, response, name, reference }: Exchange): Promise<void> {
  const bytes = await readBytes(request, parts.maxManifestBytes);
  const manifest = parse(bytes);
  const header = request.headers['content-type']?.split(';')[0]?.trim();
  const mediaType = header ?? (typeof manifest.mediaType === 'string' ? manifest.mediaType : '');
  if (typeof manifest.mediaType === 'string' && manifest.mediaType !== mediaType)
    throw invalid(`the manifest says it is ${manifest.mediaType}, the Content-Type ${mediaType}`);
  if (!isManifestType(mediaType) && !isIndexType(mediaType))
    throw invalid(`unsupported manifest type ${JSON.stringify(mediaType)}`);
  const digest = reference.includes(':') ? digestParameter(reference) : digestOf(bytes);
  const algorithm = digestAlgorithm(digest);
  if (createHash(algorithm).update(bytes).digest('hex') !== digestHex(digest))
    throw new Problem(400, 'DIGEST_INVALID', `the manifest's digest is not ${digest}`);
  await checkContent(parts, name, manifest, isIndexType(mediaType));
  const subject = subjectOf(manifest);
  await parts.storage.putManifest(name, digest, { mediaType, bytes });
  if (subject !== undefined)
    await parts.storage.addReferrer(name, subject, referrerOf(manifest, mediaType, digest, bytes.length));
  if (!reference.includes(':')) await parts.storage.putTag(name, reference, digest);
  response.writeHead(201, {
    location: `/v2/${name}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(subject === undefined ? {} : { 'oci-subject': subject }),
    'content-length': 0,
  });
  response.end();
}

async function remove(parts: RegistryParts, name: string, reference: string): Promise<boolean> {
  if (!reference.includes(':')) return await parts.storage.deleteTag(name, reference);
  const digest = digestParameter(reference);
  const manifest = await parts.storage.getManifest(name, digest);
  if (manifest === undefined) return false;
  const subject = subjectOf(parse(manifest.bytes));
  if (subject !== undefined) await parts.storage.removeReferrer(name, subject, digest);
  return await parts.storage.deleteManifest(name, digest);
}

function parse(bytes: Uint8Array): ParsedManifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid('the manifest is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('the manifest is no JSON object');
  return value as ParsedManifest;
}

function descriptorDigest(value: unknown, where: string): { digest: Digest; urls: boolean; mediaType: string } {
  const { digest, urls, mediaType } = (value ?? {}) as { digest?: unknown; urls?: unknown; mediaType?: unknown };
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(`${where} has no valid digest`);
  return {
    digest,
    urls: Array.isArray(urls) && urls.length > 0,
    mediaType: typeof mediaType === 'string' ? mediaType : '',
  };
}

/** What a manifest names must be in the repository, but for layers that are not distributed. */
async function checkContent(
  parts: RegistryParts,
  name: string,
  manifest: ParsedManifest,
  index: boolean,
): Promise<void> {
  if (index) {
    if (!Array.isArray(manifest.manifests)) throw invalid('the index lists no manifests');
    for (const entry of manifest.manifests as unknown[]) {
      const { digest, mediaType } = descriptorDigest(entry, 'an entry of the index');
      if (await parts.storage.hasManifest(name, digest)) continue;
      // Caches are written as indexes of layers.
      if (
        isIndexType(mediaType) ||
        isManifestType(mediaType) ||
        (await parts.storage.findBlob(name, digest)) === undefined
      )
        throw missing(digest);
    }
    return;
  }
  // Builders write null for no layers.
  const layers = manifest.layers === null ? [] : manifest.layers;
  if (!Array.isArray(layers)) throw invalid('the manifest lists no layers');
  const wanted = [descriptorDigest(manifest.config, 'config'), ...layers.map((l) => descriptorDigest(l, 'a layer'))];
  for (const { digest, urls, mediaType } of wanted) {
    if (urls || mediaType.includes('nondistributable') || mediaType.includes('.foreign.')) continue;
    if ((await parts.storage.findBlob(name, digest)) === undefined) throw missing(digest);
  }
}

function subjectOf(manifest: ParsedManifest): Digest | undefined {
  return manifest.subject === undefined ? undefined : descriptorDigest(manifest.subject, 'subject').digest;
}

function referrerOf(manifest: ParsedManifest, mediaType: string, digest: Digest, size: number): ReferrerDescriptor {
  const config = (manifest.config ?? {}) as { mediaType?: unknown };
  const artifactType = manifest.artifactType ?? config.mediaType;
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations as Record<string, string> }),
  };
}

/** GET `/v2/<name>/referrers/<digest>` (spec: listing referrers), filtered by `artifactType`. */
export async function serveReferrers(parts: RegistryParts, exchange: Exchange): Promise<void> {
  const { request, url, name, reference } = exchange;
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodRefused();
  parts.access.check(request, [{ repository: name, action: 'pull' }]);
  const filter = url.searchParams.get('artifactType');
  const all = await parts.storage.referrers(name, digestParameter(reference));
  const manifests = filter === null ? all : all.filter((entry) => entry.artifactType === filter);
  answerJson(
    exchange,
    { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests },
    { 'content-type': MEDIA_TYPE.ociIndex, ...(filter === null ? {} : { 'oci-filters-applied': 'artifactType' }) },
  );
}

/** GET `/v2/<name>/tags/list` with `n` and `last`. */
export async function serveTags(parts: RegistryParts, exchange: Exchange): Promise<void> {
  const { request, url, name } = exchange;
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodRefused();
  parts.access.check(request, [{ repository: name, action: 'pull' }]);
  if (!(await parts.storage.hasRepository(name))) throw new Problem(404, 'NAME_UNKNOWN', `no repository ${name}`);
  const last = url.searchParams.get('last');
  const count = url.searchParams.get('n');
  if (count !== null && !/^\d{1,9}$/.test(count)) throw new Problem(400, 'UNSUPPORTED', 'n must be a number');
  const all = (await parts.storage.tags(name)).filter((tag) => last === null || tag > last);
  const tags = count === null ? all : all.slice(0, Number(count));
  const end = tags.at(-1);
  const more = end !== undefined && tags.length < all.length;
  answerJson(
    exchange,
    { name, tags },
    more ? { link: `</v2/${name}/tags/list?n=${count}&last=${encodeURIComponent(end)}>; rel="next"` } : {},
  );
}

function invalid(message: string): Problem {
  return new Problem(400, 'MANIFEST_INVALID', message);
}

function missing(digest: Digest): Problem {
  return new Problem(404, 'MANIFEST_BLOB_UNKNOWN', `the manifest names ${digest}, which the repository has not`);
}

function unknown(reference: string): Problem {
  return new Problem(404, 'MANIFEST_UNKNOWN', `no manifest ${reference}`);
}
