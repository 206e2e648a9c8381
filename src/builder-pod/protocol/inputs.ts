import type { AbortOptions } from '../../base/index.ts';
import { type Definition, decodeDefinitionInSlices } from '../../llb/index.ts';

/** Definitions by name, as frontends take them. */
export async function decodeInputs(
  inputs: Readonly<Record<string, Uint8Array>> | null | undefined,
  options: AbortOptions,
): Promise<Map<string, Definition>> {
  const decoded = new Map<string, Definition>();
  for (const [name, bytes] of Object.entries(inputs ?? {}))
    decoded.set(name, await decodeDefinitionInSlices(bytes, options));
  return decoded;
}
