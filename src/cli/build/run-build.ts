import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import {
  type AbortOptions,
  type CodedError,
  invalidArgument,
  newId,
  systemClock,
  timeoutSignal,
} from '../../base/index.ts';
import {
  type BuilderClient,
  dockerConfigCredentials,
  openBuilderClient,
  registerSessionServices,
} from '../../builder-api/client/index.ts';
import { planBuild, type SolvePlan, solveRequest } from '../../plan/index.ts';
import { parseBuild } from '../../resources/index.ts';
import type { BuildCommand } from '../command-line.ts';
import type { CliIo } from '../io.ts';
import { openDisplay, type ProgressDisplay } from '../progress/display.ts';
import { renderSummary } from '../progress/summary.ts';
import { withFlags } from './build-flags.ts';
import { readDockerConfig } from './docker-config.ts';
import { EMBEDDED_REGISTRY, embeddedRegistryAddress, openPrivateBuilder } from './private-builder.ts';
import { resolveSecrets, signingSecrets } from './secrets.ts';
import { statusEvents } from './status-events.ts';

/** `slipway build`: manifest → plan → solve on a builder, with progress on stderr. @throws CodedError */
export async function runBuild(command: BuildCommand, io: CliIo): Promise<void> {
  const text = command.file === '-' ? await readAll(process.stdin) : readManifest(path.resolve(io.cwd, command.file));
  const build = withFlags(parseBuild(text, command.file), command, io.env);
  const planned = planBuild(build, { defaultRegistry: command.defaultRegistry ?? EMBEDDED_REGISTRY });
  const plan = command.noCache ? { ...planned, frontendAttrs: { ...planned.frontendAttrs, 'no-cache': '' } } : planned;
  const secrets = new Map([
    ...resolveSecrets(plan, command.secrets, io.env, command.cacheKeys),
    ...signingSecrets(plan, { key: command.signKey, token: command.signToken }, io.env),
  ]);
  const folders = resolveFolders(plan, command, io);
  const builder =
    command.builder === undefined ? await openPrivateBuilder(io) : { address: command.builder, root: undefined };
  const timeout = plan.timeoutMs === undefined ? [] : [timeoutSignal(plan.timeoutMs)];
  const signal = AbortSignal.any([io.signal, ...timeout]);
  const dockerConfig = readDockerConfig(io);
  const credentials = dockerConfig === undefined ? undefined : dockerConfigCredentials(dockerConfig);
  await using client = openBuilderClient(builder.address);
  await using session = client.hostSession({
    signal,
    register: (server) => registerSessionServices(server, { folders, secrets, credentials }),
  });
  const display = openDisplay(command.progress, io.stderr, systemClock.now);
  let response: Readonly<Record<string, string>>;
  try {
    response = await solve(client, plan, session.id, display, { signal });
  } finally {
    display[Symbol.dispose]();
  }
  report(command, io, display, response, builder.root);
}

function readManifest(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw invalidArgument(`the manifest cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function resolveFolders(plan: SolvePlan, command: BuildCommand, io: CliIo): ReadonlyMap<string, string> {
  const folders = new Map<string, string>();
  for (const name of plan.uploads) {
    const folder = command.contexts.get(name === 'dockerfile' ? 'context' : name);
    if (folder === undefined)
      throw invalidArgument(`the manifest's source is uploaded: name its folder`, {
        hint: name === 'context' ? '--context DIR' : `--context ${name}=DIR`,
      });
    folders.set(name, path.resolve(io.cwd, folder));
  }
  for (const name of command.contexts.keys())
    if (!folders.has(name))
      throw invalidArgument(`--context ${name}: the manifest has no source of kind upload by that name`);
  return folders;
}

/** One Control.Solve with its Status stream beside it; the stream is read to its end, so that the last lines are seen. */
async function solve(
  client: BuilderClient,
  plan: SolvePlan,
  session: string,
  display: ProgressDisplay,
  { signal }: AbortOptions,
): Promise<Readonly<Record<string, string>>> {
  const ref = newId();
  const watching = (async () => {
    for await (const response of client.control.status({ ref, explain: display.explains }, { signal }))
      for (const event of statusEvents(response)) display.event(event);
  })();
  // Its failure matters only where the solve itself does not fail.
  watching.catch(() => {});
  const request = { ...solveRequest(plan), ref, session };
  let failure: CodedError | undefined;
  try {
    return (await client.control.solve(request, { signal })).exporterResponse;
  } catch (error) {
    failure = error as CodedError;
    throw error;
  } finally {
    await watching.catch((error: unknown) => {
      if (failure === undefined && !signal.aborted) throw error;
    });
  }
}

function report(
  command: BuildCommand,
  io: CliIo,
  display: ProgressDisplay,
  response: Readonly<Record<string, string>>,
  root: string | undefined,
): void {
  const digest = response['containerimage.digest'];
  const names = (response['image.name'] ?? '').split(',').filter((name) => name !== '');
  const registry = root === undefined ? undefined : embeddedRegistryAddress(root);
  const pull =
    names[0]?.startsWith(`${EMBEDDED_REGISTRY}/`) && registry !== undefined
      ? names[0].replace(EMBEDDED_REGISTRY, registry)
      : names[0];
  if (command.progress !== 'quiet' && command.progress !== 'rawjson') {
    const lines = renderSummary(display.model, io.stderr.columns);
    for (const name of names) lines.push(`pushed ${name}`);
    if (digest !== undefined) lines.push(`digest ${digest}`);
    if (pull !== undefined && pull !== names[0]) lines.push(`pull   ${pull} (http)`);
    io.stderr.write(`${lines.join('\n')}\n`);
  } else if (digest !== undefined) io.stdout.write(`${digest}\n`);
  if (command.metadataFile === undefined) return;
  const { total, cached } = display.model.counts();
  const metadata = {
    ...response,
    ...(pull === undefined ? {} : { 'slipway.image.pull': pull }),
    'slipway.build': { steps: total, cached, elapsedMs: Math.round(display.model.elapsed) },
  };
  writeFileSync(path.resolve(io.cwd, command.metadataFile), `${JSON.stringify(metadata, null, 2)}\n`);
}
