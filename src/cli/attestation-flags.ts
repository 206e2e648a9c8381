import { csvFields, invalidArgument, parseBoolean } from '../base/index.ts';

/** What flags say of attestations, in the place of the fields of `spec.attestations` of these names: false for none. Values are as they were given: the resource's schema checks them. */
export interface AttestationFlags {
  readonly provenance?: Readonly<Record<string, unknown>> | false;
  readonly sbom?: Readonly<Record<string, unknown>> | false;
}

type Kind = keyof AttestationFlags;
const KINDS: readonly string[] = ['provenance', 'sbom'] satisfies readonly Kind[];

/** Flags whose value may be left out, which then is `true`. */
const OPTIONAL_VALUE = KINDS.map((kind) => `--${kind}`);

/** Parameters of provenance, and the fields that they are; of exported files, which a Build has none of, without one. */
export const PROVENANCE_PARAMETERS: Readonly<Record<string, 'text' | 'boolean' | 'file'>> = {
  mode: 'text',
  version: 'text',
  'builder-id': 'text',
  reproducible: 'boolean',
  'complete-materials': 'boolean',
  'inline-only': 'file',
  filename: 'file',
};

/** `--provenance` as `--provenance=true` where no value follows: the command takes no arguments that could be meant. */
export function withImpliedValues(args: readonly string[]): readonly string[] {
  return args.map((arg, at) => {
    const next = args[at + 1];
    return OPTIONAL_VALUE.includes(arg) && (next === undefined || next.startsWith('-')) ? `${arg}=true` : arg;
  });
}

/**
 * `--provenance`, `--sbom` and `--attest type=…` as `docker buildx build` takes them: `true`, `false`, or `key=value` separated by commas.
 * @throws CodedError invalid_argument naming the flag
 */
export function attestationFlags(given: {
  readonly provenance?: string | undefined;
  readonly sbom?: string | undefined;
  readonly attest: readonly string[];
}): AttestationFlags {
  const found = new Map<Kind, Readonly<Record<string, unknown>> | false>();
  const add = (flag: string, kind: Kind, fields: readonly string[]) => {
    if (found.has(kind)) throw invalidArgument(`${flag}: ${kind} is asked for twice`);
    found.set(kind, attestation(flag, kind, fields));
  };
  for (const text of given.attest) {
    const flag = `--attest ${text}`;
    const fields = fieldsOf(flag, text);
    const types = fields.filter((field) => field.startsWith('type='));
    const type = types[0]?.slice('type='.length).toLowerCase();
    if (types.length !== 1 || type === undefined || !KINDS.includes(type))
      throw invalidArgument(`${flag}: expected type=provenance or type=sbom, and parameters`);
    add(
      flag,
      type as Kind,
      fields.filter((field) => field !== types[0]),
    );
  }
  for (const kind of ['provenance', 'sbom'] as const) {
    const text = given[kind];
    if (text === undefined) continue;
    const isWanted = parseBoolean(text);
    if (isWanted === undefined) add(`--${kind}`, kind, fieldsOf(`--${kind}`, text));
    else add(`--${kind}`, kind, isWanted ? [] : ['disabled=true']);
  }
  return Object.fromEntries(found);
}

function attestation(flag: string, kind: Kind, fields: readonly string[]): Readonly<Record<string, unknown>> | false {
  const parameters = new Map<string, string>();
  for (const field of fields) {
    const at = field.indexOf('=');
    // `--provenance=max`, as people write it.
    const [key, value] = at > 0 ? [field.slice(0, at), field.slice(at + 1)] : bare(flag, kind, field);
    if (parameters.has(key)) throw invalidArgument(`${flag}: ${key} is given twice`);
    parameters.set(key, value);
  }
  const disabled = parameters.get('disabled');
  parameters.delete('disabled');
  if (disabled !== undefined && booleanOf(flag, 'disabled', disabled)) return false;
  return kind === 'sbom' ? sbom(parameters) : provenance(flag, parameters);
}

function bare(flag: string, kind: Kind, field: string): readonly [string, string] {
  if (kind === 'provenance' && (field === 'min' || field === 'max')) return ['mode', field];
  if (field === 'disabled') return ['disabled', 'true'];
  throw invalidArgument(`${flag}: ${JSON.stringify(field)} is no key=value`);
}

function sbom(all: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> {
  const { generator, ...parameters } = Object.fromEntries(all);
  return {
    ...(generator === undefined ? {} : { generator }),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
  };
}

function provenance(flag: string, all: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> {
  // Of flags as of every builder; a manifest that says nothing means min.
  const fields: Record<string, unknown> = { mode: 'max' };
  for (const [key, value] of all) {
    const form = Object.hasOwn(PROVENANCE_PARAMETERS, key) ? PROVENANCE_PARAMETERS[key] : undefined;
    if (form === undefined)
      throw invalidArgument(`${flag}: unknown parameter ${JSON.stringify(key)} of provenance`, {
        hint: `there are ${Object.keys(PROVENANCE_PARAMETERS).join(', ')}`,
      });
    const name = key.replace(/-[a-z]/g, (part) => part.slice(1).toUpperCase());
    if (form === 'text') fields[name] = value;
    else if (form === 'boolean') fields[name] = booleanOf(flag, key, value);
  }
  return fields;
}

function booleanOf(flag: string, key: string, text: string): boolean {
  const value = text === '' ? true : parseBoolean(text);
  if (value === undefined) throw invalidArgument(`${flag}: ${key}=${text}: expected true or false`);
  return value;
}

function fieldsOf(flag: string, text: string): readonly string[] {
  const fields = text === '' ? [] : csvFields(text);
  if (fields === undefined) throw invalidArgument(`${flag}: bad quoting in ${JSON.stringify(text)}`);
  return fields;
}
