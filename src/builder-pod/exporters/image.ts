import { familiarImageName, formatImageReference, invalidArgument } from '../../base/index.ts';
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
import { pushImage } from './push.ts';
import { epochOf, metadataText, resultAnnotations } from './result.ts';

export interface ImageExporterOptions {
  /** Push by digest only: the tags are written by whoever asked. */
  readonly deferTags?: boolean;
}

/** The `image` exporter: into the builder's content store, and pushed where asked. @throws CodedError for attributes that cannot be met */
export function imageExporter(
  attributes: Attributes,
  deps: ExporterDeps,
  { deferTags = false }: ImageExporterOptions = {},
): Exporter {
  const push = booleanAttribute(attributes, 'push', false);
  const byDigest = booleanAttribute(attributes, 'push-by-digest', false);
  const insecure = booleanAttribute(attributes, 'registry.insecure', false);
  const oci = booleanAttribute(attributes, 'oci-mediatypes', true);
  const compression = compressionAttributes(attributes);
  const annotations = parseAnnotations(Object.entries(attributes));
  const epoch = parseEpoch(attributes['source-date-epoch']);
  refuse(attributes, 'rewrite-timestamp', 'prefer-nondist-layers');
  // Names known now are checked now: a typo should not cost a build.
  if (attributes['name'] !== '*') imageNames(attributes['name'], undefined, byDigest);
  if (push && !attributes['name'])
    throw invalidArgument('the image is to be pushed, but has no name', {
      reason: 'EXPORT_NAME',
      hint: 'add name=<registry>/<repository>:<tag> to the output',
    });

  async function run(source: ExportSource, context: ExportContext): Promise<ExportResult> {
    const names = imageNames(attributes['name'], metadataText(source, 'image.name'), byDigest);
    const inputs = exportInputs(source);
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
    for (const { descriptor, bytes } of [...image.configs, ...image.manifests])
      await deps.content.ingest(bytes, descriptor, { signal: context.signal });
    for (const name of names) await withRow(context, `naming to ${formatImageReference(name)}`, () => {});
    if (push) await pushImage(image, names, { insecure, byDigest: byDigest || deferTags }, deps, context);
    return {
      response: imageResponse(
        image,
        names.map((name) => (byDigest ? familiarImageName(name) : formatImageReference(name))),
      ),
      descriptor: image.root,
      image: {
        root: image.root,
        names: push ? names.map(formatImageReference) : [],
        insecure,
        size: sizeOf(image),
        platforms: inputs.platforms.map(({ id }) => id),
      },
    };
  }
  return { type: 'image', name: 'exporting to image', export: run };
}

function sizeOf({ layers, configs, manifests }: AssembledExport): number {
  return [...layers, ...configs, ...manifests].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}
