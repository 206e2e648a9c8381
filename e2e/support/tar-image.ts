import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

type Body = NonNullable<RequestInit['body']>;

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Puts a tar file into a registry as an image of one layer, for this machine's platform. @param url of the registry @returns the image's name */
export async function pushTar(url: string, name: string, file: string): Promise<string> {
  const put = async (path: string, type: string, body: Body) => {
    const init = { method: 'PUT', headers: { 'content-type': type }, body, duplex: 'half' } as const;
    const answer = await fetch(new URL(path, url), init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  };
  const putBlob = async (digest: string, body: Body) => {
    const begun = await fetch(new URL(`/v2/${name}/blobs/uploads/`, url), { method: 'POST' });
    const at = new URL(begun.headers.get('location') ?? '', url);
    at.searchParams.set('digest', digest);
    await put(at.href, 'application/octet-stream', body);
  };
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash);
  const layer = `sha256:${hash.digest('hex')}`;
  await putBlob(layer, Readable.toWeb(createReadStream(file, { highWaterMark: 2 ** 20 })) as Body);
  const config = JSON.stringify({
    architecture: { x64: 'amd64' }[process.arch as string] ?? process.arch,
    os: 'linux',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
    rootfs: { type: 'layers', diff_ids: [layer] },
    history: [{ created_by: name }],
  });
  const configDigest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  await putBlob(configDigest, config);
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: configDigest,
      size: Buffer.byteLength(config),
    },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: statSync(file).size }],
  };
  await put(`/v2/${name}/manifests/latest`, MANIFEST, JSON.stringify(manifest));
  return `${new URL(url).host}/${name}:latest`;
}
