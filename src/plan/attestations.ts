import type { BuildSpec } from '../resources/index.ts';

/** The options by which a builder is asked for attestations. */
export function attestationAttrs({ attestations }: BuildSpec): Record<string, string> {
  const { provenance, sbom } = attestations ?? {};
  if (provenance === undefined && sbom === undefined) return {};
  const attrs: Record<string, string> = {};
  if (provenance !== undefined) {
    const { mode = 'min', version, builderId, reproducible, completeMaterials } = provenance;
    attrs['attest:provenance'] = parameters({
      mode,
      version,
      'builder-id': builderId,
      reproducible: reproducible ? 'true' : undefined,
      'complete-materials': completeMaterials ? 'true' : undefined,
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
