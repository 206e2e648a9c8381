import { CodedError, type Platform } from '../base/index.ts';
import { type Definition, image, marshalOutput, type Output, State, scratch } from '../llb/index.ts';
import type { SbomRequest } from './attestation-requests.ts';
import type { ResolvedImage } from './frontend-interface.ts';

/** Names the scan of a result, and begins those of what else is scanned. */
export const CORE_SCAN = 'sbom';
export const SPDX = 'https://spdx.dev/Document';

const SOURCES = '/run/src';
const DESTINATION = '/run/out/';

/** What is scanned of a build. */
export interface ScanTargets {
  /** Undefined for scratch. */
  readonly core: Output | undefined;
  /** By name: stages, and the build context. */
  readonly extras: ReadonlyMap<string, Output | undefined>;
  readonly ignoreCache: boolean;
}

/** A scanner image as it is run. */
export interface Scanner {
  readonly reference: string;
  readonly platform: Platform;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly directory: string;
  readonly parameters: SbomRequest['parameters'];
}

/** @throws CodedError where the image says nothing to run */
export function scannerOf(
  { reference, config }: Pick<ResolvedImage, 'reference' | 'config'>,
  platform: Platform,
  parameters: SbomRequest['parameters'],
): Scanner {
  let parsed: { config?: { Entrypoint?: unknown; Cmd?: unknown; Env?: unknown; WorkingDir?: unknown } };
  try {
    parsed = JSON.parse(new TextDecoder().decode(config)) ?? {};
  } catch (error) {
    throw new CodedError('invalid_argument', `the configuration of the scanner ${reference} is no JSON`, {
      fault: 'user',
      cause: error,
    });
  }
  const { Entrypoint, Cmd, Env, WorkingDir } = parsed.config ?? {};
  const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []);
  const args = [...texts(Entrypoint), ...texts(Cmd)];
  if (args.length === 0)
    throw new CodedError('invalid_argument', `scanner ${reference} does not have cmd`, { fault: 'user' });
  const directory = typeof WorkingDir === 'string' ? WorkingDir : '';
  return { reference, platform, args, env: texts(Env), directory, parameters };
}

/** The graph that runs a scanner over its targets; its result is a directory of statements. `id` is the platform that is scanned. */
export function scanDefinition(scanner: Scanner, id: string, { core, extras, ignoreCache }: ScanTargets): Definition {
  const source = `${SOURCES}/core/${CORE_SCAN}`;
  const env = [
    ...scanner.env,
    `BUILDKIT_SCAN_DESTINATION=${DESTINATION}`,
    `BUILDKIT_SCAN_SOURCE=${source}`,
    ...(extras.size === 0 ? [] : [`BUILDKIT_SCAN_SOURCE_EXTRAS=${SOURCES}/extras`]),
    ...[...scanner.parameters].map(([name, value]) => `BUILDKIT_SCAN_${name}=${value}`),
  ];
  let state = image(scanner.reference, { platform: scanner.platform });
  if (scanner.directory !== '') state = state.dir(scanner.directory);
  for (const entry of env) {
    const at = entry.indexOf('=');
    if (at > 0) state = state.env(entry.slice(0, at), entry.slice(at + 1));
  }
  const run = state.run({
    args: scanner.args,
    name: `[${id}] generating sbom using ${scanner.reference}`,
    ignoreCache,
    mounts: [
      { target: '/tmp', tmpfs: {} },
      { target: source, source: new State(core), readonly: true },
      ...[...extras].map(([name, output]) => ({
        target: `${SOURCES}/extras/${CORE_SCAN}-${name}`,
        source: new State(output),
        readonly: true,
      })),
      { target: DESTINATION, source: scratch() },
    ],
  });
  return marshalOutput(run.mount(DESTINATION).output, { platform: scanner.platform });
}

/** What an attestation that a scan gives says of itself. */
export function scanMetadata(): Map<string, Uint8Array> {
  const text = new TextEncoder();
  return new Map([
    ['reason', text.encode('sbom')],
    ['sbom-core', text.encode(CORE_SCAN)],
  ]);
}
