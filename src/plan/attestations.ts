import { invalidArgument } from '../base/index.ts';
import type { BuildSpec } from '../resources/index.ts';

/** The options by which a builder is asked for attestations. @throws CodedError where an output cannot have them */
export function attestationAttrs({ attestations, outputs = [] }: BuildSpec): Record<string, string> {
  const { provenance, sbom } = attestations ?? {};
  if (provenance === undefined && sbom === undefined) return {};
  const plain = outputs.findIndex(({ ociMediaTypes }) => ociMediaTypes === false);
  if (plain >= 0)
    throw invalidArgument(`spec.outputs[${plain}].ociMediaTypes: an image with attestations is an OCI index`, {
      hint: 'leave ociMediaTypes or spec.attestations out',
    });
  const attrs: Record<string, string> = {};
  if (provenance !== undefined) {
    const { mode = 'min', version, builderId, reproducible } = provenance;
    attrs['attest:provenance'] = parameters({
      mode,
      version,
      'builder-id': builderId,
      reproducible: reproducible ? 'true' : undefined,
    });
  }
  if (sbom !== undefined) attrs['attest:sbom'] = parameters({ ...sbom.parameters, generator: sbom.generator });
  return attrs;
}

/** Comma-separated values (RFC 4180). */
function parameters(all: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(all)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .map((field) => (/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}
