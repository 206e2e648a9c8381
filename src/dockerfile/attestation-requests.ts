import { annotate, formatImageReference, invalidArgument, parseImageReference, withDefaultTag } from '../base/index.ts';
import { csvFields, parseBoolean } from './text.ts';

/** What the options of a build ask to be attested. */
interface AttestationRequests {
  readonly sbom?: SbomRequest;
  /** Its parameters, as they were written. */
  readonly provenance?: ReadonlyMap<string, string>;
}

export interface SbomRequest {
  /** Image that scans, in full; undefined for the builder's own scanner. */
  readonly generator: string | undefined;
  readonly parameters: ReadonlyMap<string, string>;
}

const OPTION = /^(?:attest:|build-arg:BUILDKIT_ATTEST_)(.{0,100})/s;
const KINDS: readonly string[] = ['sbom', 'provenance'];

/** @throws CodedError invalid_argument naming the option */
export function attestationRequests(options: ReadonlyMap<string, string>): AttestationRequests {
  const asked = new Map<string, ReadonlyMap<string, string>>();
  for (const [option, value] of options) {
    const kind = OPTION.exec(option)?.[1]?.toLowerCase();
    if (kind === undefined) continue;
    if (!KINDS.includes(kind))
      throw invalidArgument(`unknown attestation type ${JSON.stringify(kind)}`, {
        hint: `there are ${KINDS.join(' and ')}`,
      });
    const parameters = parametersOf(kind, value);
    if (parameters !== undefined) asked.set(kind, parameters);
  }
  const sbom = asked.get('sbom');
  const provenance = asked.get('provenance');
  return {
    ...(sbom === undefined ? {} : { sbom: sbomRequest(sbom) }),
    ...(provenance === undefined ? {} : { provenance }),
  };
}

/** Comma-separated `key=value`; undefined where it says that none is wanted. */
function parametersOf(kind: string, text: string): ReadonlyMap<string, string> | undefined {
  if (text === '') return new Map();
  const fields = csvFields(text);
  if (fields === undefined)
    throw invalidArgument(`failed to parse attest:${kind}: bad quoting in ${JSON.stringify(text)}`);
  const parameters = new Map(
    fields.map((field) => {
      const at = field.indexOf('=');
      return at < 0 ? ([field, ''] as const) : ([field.slice(0, at), field.slice(at + 1)] as const);
    }),
  );
  const disabled = parameters.get('disabled');
  parameters.delete('disabled');
  if (disabled !== undefined && (disabled === '' || parseBoolean(disabled) !== false)) return undefined;
  // `attest:provenance=true` and `=false`, as people write them.
  const [only, second] = parameters.keys();
  if (second === undefined && only !== undefined && parameters.get(only) === '') {
    const wanted = parseBoolean(only);
    if (wanted !== undefined) return wanted ? new Map() : undefined;
  }
  return parameters;
}

function sbomRequest(all: ReadonlyMap<string, string>): SbomRequest {
  const { generator, ...parameters } = Object.fromEntries(all);
  if (generator === '')
    throw invalidArgument('sbom generator cannot be empty', {
      hint: 'leave generator out for the scanner of the builder itself',
    });
  try {
    return {
      generator:
        generator === undefined ? undefined : formatImageReference(withDefaultTag(parseImageReference(generator))),
      parameters: new Map(Object.entries(parameters)),
    };
  } catch (error) {
    throw annotate(error, `failed to parse sbom generator ${generator}`);
  }
}
