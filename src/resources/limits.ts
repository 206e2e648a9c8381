/** Most bytes of a spec as it is stored. Its run holds a copy, and both need room for their records and managed fields below etcd's 1.5 MiB. */
export const MAX_SPEC_BYTES = 1024 * 1024;
/** How deep a spec may be nested. */
export const MAX_SPEC_DEPTH = 128;

interface OverLimit {
  readonly reason: 'SpecTooLarge' | 'SpecTooDeep';
  readonly message: string;
}

/** Which bound a spec breaks; undefined for none. */
export function overLimit(spec: unknown): OverLimit | undefined {
  // First: what is nested too deep cannot be written down to be measured.
  if (isDeeper(spec, MAX_SPEC_DEPTH))
    return { reason: 'SpecTooDeep', message: `the spec is nested more than ${MAX_SPEC_DEPTH} deep` };
  const bytes = storedBytes(spec);
  if (bytes > MAX_SPEC_BYTES)
    return {
      reason: 'SpecTooLarge',
      message: `the spec takes ${bytes} bytes; at most ${MAX_SPEC_BYTES} are taken: let large files come from git, http or an image`,
    };
  return undefined;
}

/** Bytes of a value as an API server stores it: JSON in which what means something in HTML, and two line ends, are escaped. */
export function storedBytes(value: unknown): number {
  const json = JSON.stringify(value) ?? '';
  let bytes = Buffer.byteLength(json);
  for (const { 0: escaped } of json.matchAll(/[<>&\u2028\u2029]/g)) bytes += 6 - Buffer.byteLength(escaped);
  return bytes;
}

function isDeeper(value: unknown, most: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > most) return true;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return false;
}
