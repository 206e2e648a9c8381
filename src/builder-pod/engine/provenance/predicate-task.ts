import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type Descriptor, type Digest, digestOf, goJson } from '../../../base/index.ts';
import { buildSteps, decodeDefinition, digestMapping, sourceJson } from '../../../llb/index.ts';
import { sharedBytes } from '../../../sys/index.ts';
import type { SlsaVersion } from './options.ts';
import type { Parameters } from './parameters.ts';
import { type KeptSteps, type PredicateFacts, readFacts, type StepLayers } from './predicate-facts.ts';

export const PREDICATE_TYPE: Readonly<Record<SlsaVersion, string>> = {
  v1: 'https://slsa.dev/provenance/v1',
  'v0.2': 'https://slsa.dev/provenance/v0.2',
};
const BUILD_TYPE: Readonly<Record<SlsaVersion, string>> = {
  v1: 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md',
  'v0.2': 'https://mobyproject.org/buildkit@v1',
};
/** The behaviours that outputs have here are those of this version of the field's API. */
const COMPATIBILITY_VERSION = 30;

/** Worker task: the predicate as JSON without spaces. */
export function encodePredicate(facts: PredicateFacts): Uint8Array {
  return sharedBytes(Buffer.from(goJson(predicateOf(facts))));
}

/** Worker task: the steps whose layers the predicate is to tell that is to be made of this file; none where it is made. */
export function keptSteps({ path }: { readonly path: string }): KeptSteps | undefined {
  return readFacts(readFileSync(path))?.steps;
}

/**
 * Worker task: makes the predicate, in lines, of the facts that the file holds, and puts it in their place. Where it was
 * made before it is told again: whoever asked then may not have lived to write it down.
 */
export function writePredicate({ path, layers }: { readonly path: string; readonly layers: readonly StepLayers[] }): {
  digest: Digest;
  size: number;
} {
  const known = readFileSync(path);
  const facts = readFacts(known);
  if (facts === undefined) return { digest: digestOf(known), size: known.length };
  const bytes = Buffer.from(goJson(predicateOf({ ...facts, layers }), '  '));
  const made = `${path}.made`;
  try {
    writeFileSync(made, bytes, { mode: 0o600 });
    renameSync(made, path);
  } catch (error) {
    rmSync(made, { force: true });
    throw error;
  }
  return { digest: digestOf(bytes), size: bytes.length };
}

function predicateOf(facts: PredicateFacts): unknown {
  const graph = graphOf(facts);
  return facts.version === 'v1' ? slsa1(facts, graph) : slsa02(facts, graph);
}

interface Graph {
  readonly buildConfig?: unknown;
  readonly metadata: object;
}

function graphOf({ definition: bytes, layers = [], vcs }: PredicateFacts): Graph {
  const told = vcs === undefined ? {} : { vcs };
  if (bytes === undefined) return { metadata: told };
  const definition = decodeDefinition(bytes);
  const steps = buildSteps(definition);
  const places = layers.flatMap(({ op, output, chain }) => {
    const at = steps.places.get(op);
    return at === undefined ? [] : [[`step${at}:${output}`, chain] as const];
  });
  const chains = Map.groupBy(places, ([name]) => name);
  const { source } = definition;
  return {
    buildConfig: {
      ...(steps.steps.length === 0 ? {} : { llbDefinition: steps.steps, digestMapping: digestMapping(steps) }),
    },
    metadata: {
      ...told,
      ...(source === undefined || source.infos.length === 0 ? {} : { source: sourceJson(source, steps) }),
      ...(chains.size === 0
        ? {}
        : {
            layers: Object.fromEntries(
              [...chains]
                .sort(([a], [b]) => (a < b ? -1 : 1))
                .map(([name, all]) => [name, all.map(([, chain]) => chain.map(descriptorJson))]),
            ),
          }),
    },
  };
}

/** Of annotations those that belong to an image, not to how a builder keeps it. */
function descriptorJson({ mediaType, digest, size, annotations }: Descriptor): unknown {
  const kept = Object.entries(annotations ?? {}).filter(([name]) => !/^(containerd\.io|buildkit)\//.test(name));
  return { mediaType, digest, size, ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }) };
}

function requestJson({ frontend, args, secrets, ssh, locals, inputs, root }: Parameters): object {
  const named = (all: readonly { readonly id: string; readonly optional: boolean }[] | undefined) =>
    all === undefined || all.length === 0
      ? undefined
      : all.map(({ id, optional }) => ({ id, ...(optional ? { optional } : {}) }));
  const facts = (one: NonNullable<typeof root>) => ({
    configSource: one.configSource,
    request: requestJson(one.request),
  });
  return {
    frontend,
    args,
    secrets: named(secrets),
    ssh: named(ssh),
    locals,
    inputs:
      inputs === undefined
        ? undefined
        : Object.fromEntries(Object.entries(inputs).map(([name, one]) => [name, facts(one)])),
    root: root === undefined ? undefined : facts(root),
  };
}

function slsa1(facts: PredicateFacts, { buildConfig, metadata }: Graph): unknown {
  const { materials } = facts;
  return {
    buildDefinition: {
      buildType: BUILD_TYPE.v1,
      externalParameters: {
        configSource: facts.configSource,
        request: { ...requestJson(facts.request), compatibilityVersion: COMPATIBILITY_VERSION },
      },
      internalParameters: {
        buildConfig,
        builderPlatform: facts.builderPlatform,
        targetPlatform: facts.targetPlatform,
      },
      resolvedDependencies: materials.length === 0 ? undefined : materials,
    },
    runDetails: {
      builder: { id: facts.builderId },
      metadata: {
        invocationId: facts.invocationId,
        startedOn: facts.startedOn,
        finishedOn: facts.finishedOn,
        buildkit_metadata: metadata,
        ...(facts.isHermetic ? { buildkit_hermetic: true } : {}),
        buildkit_completeness: {
          request: facts.isRequestWhole,
          resolvedDependencies: facts.areMaterialsWhole,
        },
        ...(facts.reproducible ? { buildkit_reproducible: true } : {}),
      },
    },
  };
}

function slsa02(facts: PredicateFacts, { buildConfig, metadata }: Graph): unknown {
  const { materials, configSource } = facts;
  const { path, ...source } = configSource;
  return {
    builder: { id: facts.builderId },
    buildType: BUILD_TYPE['v0.2'],
    materials: materials.length === 0 ? undefined : materials,
    invocation: {
      configSource: { ...source, ...(path === undefined ? {} : { entryPoint: path }) },
      parameters: { ...requestJson(facts.request), compatibilityVersion: COMPATIBILITY_VERSION },
      environment: { platform: facts.builderPlatform },
    },
    buildConfig,
    metadata: {
      buildInvocationID: facts.invocationId,
      buildStartedOn: facts.startedOn,
      buildFinishedOn: facts.finishedOn,
      completeness: {
        parameters: facts.isRequestWhole,
        environment: true,
        materials: facts.areMaterialsWhole,
      },
      reproducible: facts.reproducible,
      'https://mobyproject.org/buildkit@v1#metadata': metadata,
      ...(facts.isHermetic ? { 'https://mobyproject.org/buildkit@v1#hermetic': true } : {}),
    },
  };
}
