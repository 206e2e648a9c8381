import {
  type Attestation,
  CodedError,
  formatPlatform,
  normalizePlatform,
  type Platform,
  sameAs,
} from '../base/index.ts';
import { marshalOutput, type SourceInfo, sourceDetails } from '../llb/index.ts';
import { attestationRequests } from './attestation-requests.ts';
import { type BuildRequest, linterOf } from './build-request.ts';
import { BuildContexts } from './contexts.ts';
import { type Conversion, convertDockerfile } from './conversion.ts';
import { detectSyntax, type SyntaxRequest } from './directives.ts';
import type { CallOptions, DockerfileClient, FrontendRef, FrontendResult, FrontendScan } from './frontend-interface.ts';
import { encodeImageConfig } from './image-config.ts';
import { Linter, type LintFinding } from './lint.ts';
import { DockerfileError, located, rangesOf } from './location.ts';
import { readOptions } from './options.ts';
import { type Scanner, SPDX, scanDefinition, scanMetadata, scannerOf } from './sbom-scan.ts';
import { answerSubrequest } from './subrequests.ts';

/** Frontend capabilities that callers may ask for in `frontend.caps`. */
const FRONTEND_CAPS = new Set([
  'moby.buildkit.frontend.inputs',
  'moby.buildkit.frontend.subrequests',
  'moby.buildkit.frontend.contexts',
  'moby.buildkit.frontend.gitquerystring',
]);

/**
 * The `dockerfile.v0` frontend: reads the Dockerfile through the client, converts it for each platform, and has the graphs solved. A
 * `# syntax=` line hands the build to another frontend. @throws CodedError; faults of the Dockerfile carry `errdefs.Source` details
 */
export async function buildDockerfile(client: DockerfileClient, call: CallOptions): Promise<FrontendResult> {
  const missing = missingCap(client.options.get('frontend.caps') ?? '');
  if (missing !== undefined && !missing.forwardable) throw unsupportedCap(missing.name);
  const options = readOptions(client.options);
  const build = client.buildPlatforms[0];
  if (build === undefined) throw new CodedError('internal', 'the builder announced no platform');
  const contexts = new BuildContexts(client, options.keepGitDir, build);
  const dockerfile = await contexts.readDockerfile(call);
  const request: BuildRequest = { client, contexts, options, dockerfile };
  try {
    const forwarded = await forward(request, call);
    if (forwarded !== undefined) return forwarded;
    if (missing !== undefined) throw unsupportedCap(missing.name);
    return (await answerSubrequest(request, call)) ?? (await buildAll(request, call));
  } catch (error) {
    throw withSource(error, dockerfile.source);
  }
}

/** `context.caps+forward` asks for what only a frontend further on must know. */
function missingCap(text: string): { name: string; forwardable: boolean } | undefined {
  for (const cap of text.split(',')) {
    const [name, suffix] = cap.split('+', 2);
    if (name !== '' && !FRONTEND_CAPS.has(name!)) return { name: name!, forwardable: suffix === 'forward' };
  }
  return undefined;
}

function unsupportedCap(name: string): CodedError {
  return new CodedError('unimplemented', `unsupported frontend capability ${name}`, {
    details: [{ type: 'errdefs.FrontendCap', value: { name } }],
  });
}

/** Another frontend named by build argument or in the file, unless this build was already handed on. */
async function forward(request: BuildRequest, call: CallOptions): Promise<FrontendResult | undefined> {
  const { client, dockerfile } = request;
  if (client.options.has('cmdline')) return undefined;
  const argument = client.options.get('build-arg:BUILDKIT_SYNTAX');
  const syntax: SyntaxRequest | undefined =
    argument === undefined
      ? detectSyntax(dockerfile.text)
      : { reference: argument.trim().split(' ', 1)[0]!, commandLine: argument, location: { startLine: 0, endLine: 0 } };
  if (syntax === undefined) return undefined;
  const options = new Map(client.options).set('cmdline', syntax.commandLine).set('source', syntax.reference);
  try {
    const inputs = await client.inputs(call);
    return await client.forward({ frontend: 'gateway.v0', options, inputs }, call);
  } catch (error) {
    if (error instanceof CodedError && error.reason === 'FRONTEND_IS_BUILT_IN') return undefined;
    throw argument === undefined ? located(error, syntax.location) : error;
  }
}

/** What a client's `forward` throws to say that this frontend itself stands for the one asked for. */
export function syntaxIsBuiltIn(reference: string): CodedError {
  return CodedError.of('FRONTEND_IS_BUILT_IN', `${reference} is built in`);
}

interface PlatformBuild {
  readonly id: string;
  readonly platform: Platform;
  readonly ref: FrontendRef | undefined;
  readonly conversion: Conversion;
}

async function buildAll(request: BuildRequest, call: CallOptions): Promise<FrontendResult> {
  const { options } = request;
  const wanted: readonly (Platform | undefined)[] = options.platforms.length > 0 ? options.platforms : [undefined];
  const failure = new AbortController();
  const signal = AbortSignal.any([call.signal, failure.signal]);
  const builds = await Promise.allSettled(
    wanted.map((platform, i) =>
      buildOne(request, platform, i === 0, { signal }).catch((error: unknown) => {
        failure.abort(error);
        throw error;
      }),
    ),
  );
  call.signal.throwIfAborted();
  if (failure.signal.aborted) throw failure.signal.reason;
  const done = builds.flatMap((build) => (build.status === 'fulfilled' ? [build.value] : []));
  return { ...resultOf(done, options.multiPlatform), ...(await scansOf(done, request, call)) };
}

/** What an SBOM takes: the runs of the scanner that the build names, or what the builder is to scan itself. */
async function scansOf(
  builds: readonly PlatformBuild[],
  { client, options }: BuildRequest,
  call: CallOptions,
): Promise<Pick<FrontendResult, 'attestations' | 'scans'>> {
  const { sbom } = attestationRequests(client.options);
  if (sbom === undefined) return {};
  const { cacheImports } = options;
  if (sbom.generator === undefined) {
    const scans = new Map<string, FrontendScan[]>();
    for (const { id, conversion } of builds)
      for (const [name, output] of conversion.scans.extras) {
        const definition = marshalOutput(output, { platform: conversion.platform });
        const ref = await client.solve({ definition, cacheImports }, call);
        scans.set(id, [...(scans.get(id) ?? []), { name, ref }]);
      }
    return { scans };
  }
  const scanner = await resolveScanner(sbom.generator, sbom.parameters, { client, options }, call);
  const attestations = new Map<string, readonly Attestation<FrontendRef>[]>();
  for (const { id, conversion } of builds) {
    const definition = scanDefinition(scanner, id, conversion.scans);
    const ref = await client.solve({ definition, cacheImports }, call);
    const metadata = scanMetadata();
    attestations.set(id, [{ kind: 'bundle', metadata, ref, path: '', predicateType: SPDX, subjects: [] }]);
  }
  return { attestations };
}

async function resolveScanner(
  reference: string,
  parameters: Scanner['parameters'],
  { client, options }: Pick<BuildRequest, 'client' | 'options'>,
  call: CallOptions,
): Promise<Scanner> {
  const platform = client.buildPlatforms[0]!;
  const { resolveMode } = options;
  const logName = `[internal] load metadata for ${reference}`;
  const image = await client.resolveImageConfig(reference, { platform, resolveMode, logName }, call);
  return scannerOf({ reference, config: image.config }, platform, parameters);
}

async function buildOne(
  request: BuildRequest,
  targetPlatform: Platform | undefined,
  isFirst: boolean,
  call: CallOptions,
): Promise<PlatformBuild> {
  const { client, contexts, options, dockerfile } = request;
  const warnings = new Warnings(request);
  const lint = isFirst ? linterOf(request, (finding) => warnings.add(finding)) : Linter.silent;
  const conversion = await convertDockerfile(
    { text: dockerfile.text, source: dockerfile.source, client, contexts, options, targetPlatform, lint },
    call,
  );
  const definition = marshalOutput(conversion.target.output, { platform: conversion.platform });
  const ref = await client.solve({ definition, cacheImports: options.cacheImports }, call);
  const platform = normalizePlatform(targetPlatform ?? client.buildPlatforms[0]!);
  return { id: formatPlatform(platform), platform, ref, conversion };
}

/** Findings of one build that are shown; the next one says that there are more. */
const MAX_WARNINGS = 200;
/** Bytes of the Dockerfile that all warnings together carry, each a whole copy. */
const MAX_WARNED_SOURCE = 8 << 20;

/** Tells findings to the client, a bounded number of them: a generated Dockerfile can have one in each of many thousand lines. */
class Warnings {
  readonly #request: BuildRequest;
  #count = 0;

  constructor(request: BuildRequest) {
    this.#request = request;
  }

  add(finding: LintFinding): void {
    const { rule, location } = finding;
    this.#count += 1;
    if (this.#count > MAX_WARNINGS + 1) return;
    const { client, dockerfile } = this.#request;
    const { vertex, source } = dockerfile;
    if (this.#count > MAX_WARNINGS) {
      const text = `More than ${MAX_WARNINGS} warnings: the others are not shown`;
      client.warn({ vertex, level: 1, message: text, detail: [], url: '', ranges: [] });
      return;
    }
    client.warn({
      vertex,
      level: 1,
      message: `${rule.name}: ${finding.message}${location === undefined ? '' : ` (line ${location.startLine})`}`,
      detail: [rule.description],
      url: rule.url,
      ...(this.#count * source.data.length > MAX_WARNED_SOURCE ? {} : { source }),
      ranges: location === undefined ? [] : rangesOf(location),
    });
  }
}

function resultOf(builds: readonly PlatformBuild[], multiPlatform: boolean): FrontendResult {
  const metadata = new Map<string, Uint8Array>();
  const encoder = new TextEncoder();
  for (const { id, conversion } of builds) {
    const suffix = multiPlatform ? `/${id}` : '';
    const { image, baseImage } = conversion.target;
    metadata.set(`containerimage.config${suffix}`, encodeImageConfig(image));
    if (baseImage !== undefined) metadata.set(`containerimage.base.config${suffix}`, encodeImageConfig(baseImage));
    if (conversion.epoch !== undefined)
      metadata.set(`source.date.epoch${suffix}`, encoder.encode(String(conversion.epoch)));
  }
  const platforms = builds.map(({ id, platform }) => ({ ID: id, Platform: platform }));
  metadata.set('refs.platforms', encoder.encode(JSON.stringify({ Platforms: platforms })));
  if (!multiPlatform) return { ref: builds[0]?.ref, metadata };
  return { refs: new Map(builds.map(({ id, ref }) => [id, ref])), metadata };
}

/** The error with what is needed to show the lines at fault. */
function withSource(error: unknown, source: SourceInfo): unknown {
  if (!(error instanceof DockerfileError)) return error;
  const places = error.locations
    .filter(({ startLine }) => startLine > 0)
    .map((location) => ({ info: source, ranges: rangesOf(location) }));
  return new DockerfileError(error.code, error.message, error.locations, {
    ...sameAs(error),
    cause: error.cause,
    details: [...sourceDetails(places), ...error.details],
  });
}
