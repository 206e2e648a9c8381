import { formatPlatform, type Platform, toCodedError } from '../../base/index.ts';
import { type Definition, encodeDefinition, type State, scratch } from '../../llb/index.ts';
import type { BuildSpec, LlbGraph, LlbSummary } from '../../resources/index.ts';
import { type Arguments, fault } from './fields.ts';
import { GRAPH_FIELD, splitInput, stepsInOrder } from './order.ts';
import { type MadeStep, type Making, makeStep } from './steps.ts';
import { summaryOf } from './summary.ts';

/** A graph for one platform; without one it is the builder's own. */
interface PlatformGraph {
  readonly platform: Platform | undefined;
  readonly definition: Uint8Array;
}

interface CompiledGraph {
  readonly graphs: readonly PlatformGraph[];
  readonly summary: LlbSummary;
}

interface CompileOptions {
  readonly spec: BuildSpec;
  /** Those of the Build; undefined for the builder's own. */
  readonly platforms: readonly (Platform | undefined)[];
  /** Values of spec.args. */
  readonly args: Arguments;
  readonly context: Making['context'];
}

/**
 * A graph that is written in a spec as LLB, once for each platform: equal specs give equal bytes. @throws CodedError that names the step and the field: `spec.llb.graph.steps.compile.mounts[1].cache: …`
 */
export function compileGraph(graph: LlbGraph, options: CompileOptions): CompiledGraph {
  const made = options.platforms.map((platform) => compileFor(graph, platform, options));
  return {
    graphs: made.map(({ definition, ...rest }) => ({ ...rest, definition: encodeDefinition(definition) })),
    summary: summaryOf(made.map(({ definition }) => definition)),
  };
}

function compileFor(
  graph: LlbGraph,
  platform: Platform | undefined,
  { spec, args: given, context }: CompileOptions,
): Omit<PlatformGraph, 'definition'> & { readonly definition: Definition } {
  const args = argumentsFor(platform, given);
  const made = new Map<string, MadeStep>();
  for (const [name, step] of stepsInOrder(graph)) made.set(name, makeStep(name, step, { spec, args, made, context }));
  const result = resultOf(graph, made);
  if (result.output === undefined)
    throw fault(`${GRAPH_FIELD}.result`, 'the result is scratch: there is nothing to build');
  return {
    platform,
    definition: result.marshal({ platform: platform ?? 'builder', localUniqueId: 'slipway' }),
  };
}

function resultOf({ result }: LlbGraph, made: ReadonlyMap<string, MadeStep>): State {
  const { name, target } = splitInput(result);
  const step = made.get(name);
  if (step === undefined) return scratch();
  if (target === undefined) return step.state;
  const field = `${GRAPH_FIELD}.result`;
  if (step.run === undefined) throw fault(field, `${name} runs nothing, so it has no mounts`);
  try {
    return step.run.mount(target);
  } catch (error) {
    throw fault(field, `${name}: ${toCodedError(error).message}`, error);
  }
}

/** A Build's arguments, and those that Dockerfiles have beside them; without a platform these are not known before there is a builder. */
export function argumentsFor(platform: Platform | undefined, given: Arguments): Arguments {
  if (platform === undefined) return given;
  return new Map([
    ['TARGETPLATFORM', formatPlatform(platform)],
    ['TARGETOS', platform.os],
    ['TARGETARCH', platform.architecture],
    ['TARGETVARIANT', platform.variant ?? ''],
    ...given,
  ]);
}
