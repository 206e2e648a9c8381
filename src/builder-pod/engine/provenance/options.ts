import { invalidArgument } from '../../../base/index.ts';

/** Versions of the SLSA provenance predicate. */
export type SlsaVersion = 'v0.2' | 'v1';

export interface ProvenanceOptions {
  readonly version: SlsaVersion;
  /** `max` tells the graph, its sources and all parameters, too. */
  readonly mode: 'min' | 'max';
  readonly builderId: string;
  readonly reproducible: boolean;
  /** Left out where it alone would make an index of an image, or a file. */
  readonly inlineOnly: boolean;
  /** Of the file that it is beside exported files. */
  readonly filename: string;
  /** The build fails where not all that it was made of is known. */
  readonly completeMaterials: boolean;
}

/** @throws CodedError invalid_argument naming the parameter */
export function provenanceOptions(parameters: ReadonlyMap<string, string>): ProvenanceOptions {
  const version = parameters.get('version') ?? 'v1';
  if (version !== 'v1' && version !== 'v0.2')
    throw invalidArgument(`invalid provenance SLSA version: ${version}`, { hint: 'there are v1 and v0.2' });
  const mode = parameters.get('mode') ?? 'max';
  if (mode !== 'min' && mode !== 'max' && mode !== 'full')
    throw invalidArgument(`invalid mode ${JSON.stringify(mode)} of attest:provenance`, {
      hint: 'there are min and max',
    });
  return {
    version,
    mode: mode === 'min' ? 'min' : 'max',
    builderId: parameters.get('builder-id') ?? '',
    reproducible: flag(parameters, 'reproducible'),
    inlineOnly: parameters.has('inline-only') && TRUE.includes(parameters.get('inline-only')!),
    filename: parameters.get('filename') ?? 'provenance.json',
    completeMaterials: flag(parameters, 'complete-materials'),
  };
}

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

function flag(parameters: ReadonlyMap<string, string>, name: string): boolean {
  const text = parameters.get(name);
  if (text === undefined || FALSE.includes(text)) return false;
  if (TRUE.includes(text)) return true;
  throw invalidArgument(`failed to parse ${name} flag ${JSON.stringify(text)} of attest:provenance`);
}
