import { type Definition, decodeOp } from '../../llb/index.ts';

/** Beyond it an op is none that an operator plans. */
const MAX_OP = 64 * 1024;

/** The address of a solve's main context: its attribute, or that of the repository where it is a graph of one git source. */
export function mainContext(solve: {
  readonly frontendAttrs: ReadonlyMap<string, string>;
  readonly frontendInputs: ReadonlyMap<string, Definition>;
}): string | undefined {
  const attribute = solve.frontendAttrs.get('context');
  const ops = solve.frontendInputs.get('context')?.ops ?? [];
  // The source, and what says that it is the output.
  if (attribute !== undefined || ops.length > 2 || ops.some(({ length }) => length > MAX_OP)) return attribute;
  try {
    const bodies = ops.map((op) => decodeOp(op).body);
    return bodies.map((body) => (body.kind === 'source' ? body.source.attrs['git.fullurl'] : undefined)).find(Boolean);
  } catch {
    // Whoever loads it says what is wrong.
    return undefined;
  }
}
