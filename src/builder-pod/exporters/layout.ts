import { CodedError, type Descriptor, formatImageReference, type ImageReference } from '../../base/index.ts';
import {
  ANNOTATION_IMAGE_NAME,
  ANNOTATION_REF_NAME,
  type LayoutBlob,
  layoutFiles,
  layoutTar,
} from '../../oci/manifest/index.ts';
import { type AssembledExport, assembleImage, imageResponse } from './assemble.ts';
import {
  type Attributes,
  booleanAttribute,
  compressionAttributes,
  imageNames,
  parseAnnotations,
  parseEpoch,
  refuse,
} from './attributes.ts';
import { exportInputs } from './inputs.ts';
import type { ExportContext, Exporter, ExporterDeps, ExportResult, ExportSource } from './ports.ts';
import { withRow } from './progress.ts';
import { epochOf, metadataText, resultAnnotations } from './result.ts';
import { requireSender } from './sender.ts';

/**
 * The `oci` and `docker` exporters: an OCI layout to the client, as a tar or (tar=false) into its content store. `docker` adds what
 * `docker load` reads and takes one platform only.
 */
export function layoutExporter(type: 'oci' | 'docker', attributes: Attributes, deps: ExporterDeps): Exporter {
  const oci = booleanAttribute(attributes, 'oci-mediatypes', type === 'oci');
  const asTar = booleanAttribute(attributes, 'tar', true);
  const compression = compressionAttributes(attributes);
  const annotations = parseAnnotations(Object.entries(attributes));
  const epoch = parseEpoch(attributes['source-date-epoch']);
  refuse(attributes, 'rewrite-timestamp', 'prefer-nondist-layers');
  if (attributes['name'] !== '*') imageNames(attributes['name'], undefined, false);

  async function run(source: ExportSource, context: ExportContext): Promise<ExportResult> {
    const inputs = exportInputs(source);
    if (type === 'docker' && inputs.isMap)
      throw new CodedError(
        'invalid_argument',
        'docker exporter does not support exporting manifest lists, use the oci exporter instead',
        {
          reason: 'EXPORT_PLATFORM',
        },
      );
    const names = imageNames(attributes['name'], metadataText(source, 'image.name'), false);
    const image = await assembleImage(
      inputs,
      {
        oci,
        compression,
        sourceDateEpoch: epochOf(epoch, source),
        annotations: [...resultAnnotations(source), ...annotations],
      },
      context,
    );
    const shown = names.map(formatImageReference);
    const response = imageResponse(image, shown);
    // Nobody behind us looks at the bytes before they are in the user's file, which the client takes only once.
    await Promise.all(image.layers.map((layer) => layer.check(context)));
    const blobs = blobsOf(image, context);
    if (asTar) {
      const docker = type === 'docker' ? image.images.map((one) => ({ ...one, repoTags: shown })) : undefined;
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
  return { type, name: `exporting to ${type === 'oci' ? 'oci' : 'docker'} image format`, export: run };
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
    throw new CodedError('failed_precondition', 'the build client has no content store to write to', {
      fault: 'user',
      reason: 'EXPORT_CLIENT',
      hint: 'leave tar=false out',
    });
  await withRow(context, 'sending layout', async () => {
    for (const { descriptor, content } of blobs) {
      context.signal.throwIfAborted();
      if (await sink.has(descriptor, { signal: context.signal })) continue;
      const stream = content instanceof Uint8Array ? ReadableStream.from([content]) : await content();
      await sink.write(descriptor, stream, { signal: context.signal });
    }
  });
}
