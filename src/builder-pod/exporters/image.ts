import { CodedError, type Digest, formatImageReference, type ImageReference } from '../../base/index.ts';
import { signatureTag } from '../../oci/signature/index.ts';
import { type AssembledExport, assembleImage, imageResponse, SEVERAL_PLATFORMS } from './assemble.ts';
import { typesOf } from './attestations.ts';
import { type Attributes, ExportOptions, imageNames, imageOptions } from './attributes.ts';
import { exportInputs } from './inputs.ts';
import type { ExportContext, Exporter, ExporterDeps, ExportResult, ExportSource } from './ports.ts';
import { withRow } from './progress.ts';
import { pushImage } from './push.ts';
import { PushAhead } from './push-ahead.ts';
import { metadataText, resultAnnotations } from './result.ts';
import { checkSignable, signingOptions, signPushed } from './sign.ts';

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
  const options = new ExportOptions('image', attributes);
  const push = options.boolean('push', false, { empty: true });
  const byDigest = options.boolean('push-by-digest', false, { empty: true });
  const insecure = options.boolean('registry.insecure', false, { empty: true });
  const { epoch, image: asked } = imageOptions(options, { inline: true });
  const { oci, keepForeign, rewriteTimes, compression } = asked;
  const signing = signingOptions(options, push);
  const name = options.text('name');
  options.checkBooleans('unpack', 'store', 'name-canonical');
  options.checkBooleans('unsafe-internal-store-allow-incomplete');
  const naming = { byDigest, failing: push ? 'push' : 'parse' } as const;
  // Names known now are checked now: a typo should not cost a build.
  if (name !== '*') imageNames(name, undefined, naming);
  const dangling = danglingName(options);
  if (dangling !== undefined) imageNames(dangling.prefix, undefined, { failing: naming.failing });
  if (push && !name && dangling === undefined)
    throw CodedError.of('EXPORT_NAME', 'the image is to be pushed, but has no name', {
      hint: 'add name=<registry>/<repository>:<tag> to the output',
    });

  // Of layers that are made anew for the image nothing is there before.
  const isAhead =
    push && !keepForeign && name !== undefined && name !== '*' && !rewriteTimes && compression.force !== true;
  const ahead = isAhead
    ? new PushAhead({ names: imageNames(name, undefined, naming), insecure, compression, oci }, deps)
    : undefined;

  async function run(given: ExportSource, context: ExportContext): Promise<ExportResult> {
    const source = options.applyTo(given);
    options.tellUnused(context);
    const named = name === '*' ? (metadataText(source, 'image.name') ?? name) : name;
    const names = imageNames(named, undefined, naming);
    const inputs = exportInputs(source, epoch, SEVERAL_PLATFORMS);
    const image = await assembleImage(
      inputs,
      { ...asked, annotations: [...resultAnnotations(source), ...asked.annotations], names },
      deps,
      context,
    );
    for (const { descriptor, bytes } of [...image.configs, ...image.manifests])
      await deps.content.ingest(bytes, descriptor, { signal: context.signal });
    // The name by its digest.
    const beside =
      dangling === undefined || (dangling.emptyOnly && names.length > 0)
        ? ''
        : `${dangling.prefix}@${image.root.digest}`;
    const all = [...names, ...imageNames(beside, undefined, { failing: naming.failing })];
    for (const one of all) await withRow(context, `naming to ${formatImageReference(one)}`, () => {});
    if (signing !== undefined) checkSignable(image, signing);
    if (push) await pushImage(image, all, { insecure, byDigest: byDigest || deferTags, ahead }, deps, context);
    if (signing !== undefined) await signPushed(image, all, { insecure, signing }, deps, context);
    return {
      // As they were written.
      response: imageResponse(image, [names.length === 0 ? '' : (named ?? ''), beside].filter(Boolean).join(',')),
      descriptor: image.root,
      kept: [...[...image.configs, ...image.manifests].map(({ descriptor }) => descriptor.digest), ...image.stored],
      image: {
        root: image.root,
        names: push ? names.map(formatImageReference) : [],
        insecure,
        size: sizeOf(image),
        platforms: inputs.platforms.map(({ id }) => id),
        attested: typesOf(image.statements),
        parts: image.parts,
        signatures: signing === undefined ? [] : signaturesOf(image.root.digest, all),
      },
    };
  }
  return { type: 'image', name: 'exporting to image', compression, ahead, export: run };
}

/** What its signatures are called, in each of its repositories. */
function signaturesOf(digest: Digest, names: readonly ImageReference[]): readonly string[] {
  return [
    ...new Set(names.map(({ domain, path }) => formatImageReference({ domain, path, tag: signatureTag(digest) }))),
  ];
}

/** What an image without a name, or beside its names, is called by its digest. */
function danglingName(options: ExportOptions): { readonly prefix: string; readonly emptyOnly: boolean } | undefined {
  const prefix = options.text('dangling-name-prefix');
  const emptyOnly = options.boolean('danging-name-empty-only', false, { empty: true });
  return prefix === undefined || prefix === '' ? undefined : { prefix, emptyOnly };
}

function sizeOf({ layers, configs, manifests }: AssembledExport): number {
  return [...layers, ...configs, ...manifests].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}
