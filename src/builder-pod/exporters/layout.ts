import {
  CodedError,
  type Descriptor,
  familiarImageName,
  formatImageReference,
  type ImageReference,
} from '../../base/index.ts';
import {
  ANNOTATION_CREATED,
  ANNOTATION_IMAGE_NAME,
  ANNOTATION_REF_NAME,
  epochTime,
  type LayoutBlob,
  layoutFiles,
  layoutTar,
} from '../../oci/manifest/index.ts';
import { type AssembledExport, assembleImage, imageResponse, SEVERAL_PLATFORMS } from './assemble.ts';
import { type Attributes, ExportOptions, imageNames, imageOptions } from './attributes.ts';
import { exportInputs } from './inputs.ts';
import type { ExportContext, Exporter, ExporterDeps, ExportResult, ExportSource } from './ports.ts';
import { withRow } from './progress.ts';
import { metadataText, resultAnnotations } from './result.ts';
import { requireSender } from './sender.ts';

/**
 * The `oci` and `docker` exporters: an OCI layout to the client, as a tar or (tar=false) into its content store. `docker` adds what
 * `docker load` reads and takes one platform only.
 */
export function layoutExporter(type: 'oci' | 'docker', attributes: Attributes, deps: ExporterDeps): Exporter {
  const options = new ExportOptions(type, attributes);
  const { epoch, image: asked } = imageOptions(options, { inline: false });
  const { compression } = asked;
  const asTar = options.boolean('tar', true, { empty: true });
  const name = options.text('name');
  if (name !== '*') imageNames(name, undefined, { failing: 'parse' });

  async function run(given: ExportSource, context: ExportContext): Promise<ExportResult> {
    const source = options.applyTo(given);
    options.tellUnused(context);
    if (type === 'docker' && (source.refs?.size ?? 0) > 0)
      throw CodedError.of('EXPORT_PLATFORM', 'docker exporter does not currently support exporting manifest lists', {
        hint: 'use the oci exporter',
      });
    const inputs = exportInputs(source, epoch, SEVERAL_PLATFORMS);
    const names = imageNames(name, metadataText(source, 'image.name'), { failing: 'parse' });
    const assembled = await assembleImage(
      inputs,
      { ...asked, annotations: [...resultAnnotations(source), ...asked.annotations], names },
      deps,
      context,
    );
    const image = { ...assembled, root: withCreated(assembled.root, inputs.epoch) };
    const shown = names.map(formatImageReference);
    const response = imageResponse(image, shown.join(','));
    // Nobody behind us looks at the bytes before they are in the user's file, which the client takes only once.
    await Promise.all(image.layers.map((layer) => layer.check(context)));
    const blobs = blobsOf(image, context);
    if (asTar) {
      const docker =
        type === 'docker' && !image.isIndex
          ? image.images.map((one) => ({ ...one, repoTags: names.map(familiarImageName) }))
          : undefined;
      const files = layoutFiles(namedRoots(image.root, names), blobs, docker);
      const sender = await requireSender(deps, context);
      await withRow(context, 'sending tarball', (update) =>
        sender.sendFile({ exporterId: context.exporterId, response }, layoutTar(files), {
          signal: context.signal,
          onProgress: (bytes) => update(bytes),
        }),
      );
    } else await sendBlobs(blobs, deps, context);
    return { response, descriptor: image.root };
  }
  return { type, name: `exporting to ${type === 'oci' ? 'oci' : 'docker'} image format`, compression, export: run };
}

/** When the layout was made, unless the user says so. */
function withCreated(root: Descriptor, epoch: number | undefined): Descriptor {
  const created = epochTime(epoch ?? Math.floor(Date.now() / 1000));
  return { ...root, annotations: { [ANNOTATION_CREATED]: created, ...root.annotations } };
}

/** One entry a name; one without when there are none. */
function namedRoots(root: Descriptor, names: readonly ImageReference[]): Descriptor[] {
  if (names.length === 0) return [root];
  return names.map((name) => ({
    ...root,
    annotations: {
      ...root.annotations,
      [ANNOTATION_IMAGE_NAME]: formatImageReference(name),
      [ANNOTATION_REF_NAME]: name.tag ?? 'latest',
    },
  }));
}

function blobsOf(image: AssembledExport, context: ExportContext): LayoutBlob[] {
  return [
    ...image.layers.map((layer) => ({ descriptor: layer.descriptor, content: () => layer.open(context) })),
    ...[...image.configs, ...image.manifests].map(({ descriptor, bytes }) => ({ descriptor, content: bytes })),
  ];
}

/** Into the client's store, what refers coming after what it refers to; the client writes its index from the response. */
async function sendBlobs(blobs: readonly LayoutBlob[], deps: ExporterDeps, context: ExportContext): Promise<void> {
  const sink = await deps.contentSink?.(context.sessions(), { signal: context.signal });
  if (sink === undefined)
    throw CodedError.of('EXPORT_CLIENT', 'the build client has no content store to write to', {
      hint: 'leave tar=false out',
    });
  await withRow(context, 'sending layout', async () => {
    for (const { descriptor, content } of blobs) {
      context.signal.throwIfAborted();
      if (await sink.has(descriptor, { signal: context.signal })) continue;
      const stream = content instanceof Uint8Array ? ReadableStream.from([content]) : await content();
      try {
        await sink.write(descriptor, stream, { signal: context.signal });
      } finally {
        if (!stream.locked) await stream.cancel().catch(() => {});
      }
    }
  });
}
