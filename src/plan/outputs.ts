import {
  familiarImageName,
  formatImageReference,
  type ImageReference,
  invalidArgument,
  parseImageReference,
  SIGNING_KEY_SECRET,
  SIGNING_PASSWORD_SECRET,
  SIGNING_TOKEN_SECRET,
} from '../base/index.ts';
import type { BuildSpec } from '../resources/index.ts';
import type { PlannedExporter, PlanOptions } from './solve-plan.ts';

/** One `image` exporter an output, that pushes every tag. */
export function outputExporters(spec: BuildSpec, options: PlanOptions): PlannedExporter[] {
  return (spec.outputs ?? []).map((output) => {
    const attrs: Record<string, string> = {
      name: outputNames(output, options.defaultRegistry).join(','),
      push: 'true',
    };
    const { compression, compressionLevel, ociMediaTypes } = output;
    if (compression !== undefined) attrs['compression'] = compression;
    if (compressionLevel !== undefined) attrs['compression-level'] = String(compressionLevel);
    if (output.forceCompression) attrs['force-compression'] = 'true';
    if (output.rewriteTimestamp) attrs['rewrite-timestamp'] = 'true';
    if (ociMediaTypes !== undefined) attrs['oci-mediatypes'] = String(ociMediaTypes);
    if (output.insecure) attrs['registry.insecure'] = 'true';
    if (output.preferNondistLayers) attrs['prefer-nondist-layers'] = 'true';
    if (output.ociArtifact !== undefined) attrs['oci-artifact'] = String(output.ociArtifact);
    const annotate = (prefix: string, all: Readonly<Record<string, string>> = {}) => {
      for (const [key, value] of Object.entries(all)) attrs[`${prefix}.${key}`] = value;
    };
    annotate('annotation', output.annotations);
    annotate('annotation-index', output.indexAnnotations);
    annotate('annotation-manifest-descriptor', output.manifestDescriptorAnnotations);
    annotate('annotation-index-descriptor', output.indexDescriptorAnnotations);
    for (const { platform, annotations, descriptorAnnotations } of output.platformAnnotations ?? []) {
      annotate(`annotation[${platform}]`, annotations);
      annotate(`annotation-manifest-descriptor[${platform}]`, descriptorAnnotations);
    }
    if (spec.sourceDateEpoch !== undefined) attrs['source-date-epoch'] = String(spec.sourceDateEpoch);
    Object.assign(attrs, signingAttrs(spec.sign));
    return { type: 'image', attrs };
  });
}

function signingAttrs(sign: BuildSpec['sign']): Record<string, string> {
  if (sign === undefined) return {};
  const { keyless, rekorUrl, tlog } = sign;
  return {
    ...(keyless === undefined
      ? { 'sign-key': SIGNING_KEY_SECRET, 'sign-password': SIGNING_PASSWORD_SECRET }
      : { 'sign-identity-token': SIGNING_TOKEN_SECRET }),
    ...(keyless?.fulcioUrl === undefined ? {} : { 'sign-fulcio-url': keyless.fulcioUrl }),
    ...(rekorUrl === undefined ? {} : { 'sign-rekor-url': rekorUrl }),
    ...(tlog === undefined ? {} : { 'sign-tlog': String(tlog) }),
  };
}

/** Full names that an output is pushed under. A name without a registry host goes to the default registry, never to Docker Hub's library. */
export function outputNames(
  output: { readonly image: string; readonly tags?: readonly string[] | undefined },
  defaultRegistry: string | undefined,
): string[] {
  const given = parseImageReference(output.image);
  if (given.digest !== undefined)
    throw invalidArgument(`spec.outputs: ${output.image} names a digest; an output has tags`);
  const reference = withRegistry(output.image, given, defaultRegistry, 'spec.outputs');
  const { tag, ...repository } = reference;
  const tags = new Set([...(tag === undefined ? [] : [tag]), ...(output.tags ?? [])]);
  if (tags.size === 0) tags.add('latest');
  return [...tags].map((each) => formatImageReference({ ...repository, tag: each }));
}

/** What a cache is called in full. */
export function cacheName(ref: string, defaultRegistry: string | undefined, field: string): string {
  return formatImageReference(withRegistry(ref, parseImageReference(ref), defaultRegistry, field));
}

function withRegistry(
  text: string,
  given: ImageReference,
  defaultRegistry: string | undefined,
  field: string,
): ImageReference {
  const first = text.split('/')[0] as string;
  const hasHost = text.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  if (hasHost) return given;
  if (defaultRegistry === undefined)
    throw invalidArgument(`${field}: ${text} has no registry host, and no default registry is configured`, {
      hint: 'write registry.example.com/name, or give the operator --default-registry',
    });
  return parseImageReference(`${defaultRegistry}/${familiarImageName(given)}`);
}
