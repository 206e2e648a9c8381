import { CodedError } from '../../base/index.ts';
import type { Attributes } from './attributes.ts';
import { localExporter, tarExporter } from './files.ts';
import { type ImageExporterOptions, imageExporter } from './image.ts';
import { layoutExporter } from './layout.ts';
import type { Exporter, ExporterDeps } from './ports.ts';

export { compressionFor, compressionOf, ExportOptions, ociTypesOf } from './attributes.ts';
export { platformList, readLongConfig } from './inputs.ts';
export { type LayerSource, layerSource } from './layer-source.ts';
export { AHEAD_BANDWIDTH, DEFAULT_OUTFLOW, Outflow, type OutflowBounds, type OutflowPart } from './outflow.ts';
export { platformWarnings } from './platform-check.ts';
export type {
  ExportAttestation,
  ExportContext,
  ExportedImage,
  Exporter,
  ExporterDeps,
  ExportResponse,
  ExportResult,
  ExportSource,
  InlineRecords,
} from './ports.ts';
export { withRow } from './progress.ts';
export { pushLayer } from './push.ts';
export { frontendResponse } from './result.ts';
export { openSigner, type Signing, signingOptions } from './sign.ts';

/** An exporter by its type and attributes as clients send them. Bad attributes are found here, before anything is built. @throws CodedError */
export function openExporter(
  type: string,
  attributes: Attributes,
  deps: ExporterDeps,
  options: ImageExporterOptions = {},
): Exporter {
  const exporter = exporterOf(type, attributes, deps, options);
  return {
    ...exporter,
    export: async (source, context) => {
      context.signal.throwIfAborted();
      return await exporter.export(source, context);
    },
  };
}

function exporterOf(type: string, attributes: Attributes, deps: ExporterDeps, options: ImageExporterOptions): Exporter {
  switch (type) {
    case 'image':
    case 'registry':
      return imageExporter(type === 'registry' ? { push: 'true', ...attributes } : attributes, deps, options);
    case 'oci':
    case 'docker':
      return layoutExporter(type, attributes, deps);
    case 'local':
      return localExporter(attributes, deps);
    case 'tar':
      return tarExporter(attributes, deps);
    default:
      throw CodedError.of('EXPORT_TYPE', `exporter ${JSON.stringify(type)} could not be found`, {
        hint: 'types are image, oci, docker, local and tar',
      });
  }
}
