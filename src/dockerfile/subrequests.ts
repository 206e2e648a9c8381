import { CodedError } from '../base/index.ts';
import { type SourceRange, snippet } from '../llb/index.ts';
import { type BuildRequest, linterOf } from './build-request.ts';
import { convertDockerfile } from './conversion.ts';
import type { CallOptions, FrontendResult } from './frontend-interface.ts';
import { Linter, type LintFinding } from './lint.ts';
import { DockerfileError, type Location, rangesOf } from './location.ts';
import { parseDockerfile } from './parser.ts';
import { type OutlineNotes, reachableFrom, type StageState } from './stage-state.ts';
import { readStages } from './stages.ts';

/**
 * Answers what asks about the Dockerfile instead of building it (`requestid`); undefined when the build itself
 * is wanted. @throws CodedError unimplemented with an `errdefs.Subrequest` detail
 */
export async function answerSubrequest(request: BuildRequest, call: CallOptions): Promise<FrontendResult | undefined> {
  const id = request.client.options.get('requestid');
  switch (id) {
    case undefined:
      return undefined;
    case 'frontend.subrequests.describe':
      return answer(DESCRIPTIONS, table([['NAME', 'VERSION', 'DESCRIPTION'], ...describeRows()], 1));
    case 'frontend.targets':
      return listTargets(request);
    case 'frontend.outline':
      return await outline(request, call);
    case 'frontend.lint':
      return await lint(request, call);
    default:
      throw new CodedError('unimplemented', `unsupported request ${id}`, {
        details: [{ type: 'errdefs.Subrequest', value: { name: id } }],
      });
  }
}

const DESCRIPTIONS = [
  {
    name: 'frontend.outline',
    version: '1.0.0',
    type: 'rpc',
    description: 'Arguments, secrets and SSH sockets that the target takes',
    opts: [{ name: 'target', description: 'The stage asked about' }],
    metadata: [{ name: 'result.json' }, { name: 'result.txt' }],
  },
  {
    name: 'frontend.targets',
    version: '1.0.0',
    type: 'rpc',
    description: 'All stages that can be built',
    opts: [],
    metadata: [{ name: 'result.json' }, { name: 'result.txt' }],
  },
  {
    name: 'frontend.lint',
    version: '1.0.0',
    type: 'rpc',
    description: 'Findings of the checks, without a build',
    opts: [],
    metadata: [{ name: 'result.json' }, { name: 'result.txt' }, { name: 'result.statuscode' }],
  },
  {
    name: 'frontend.subrequests.describe',
    version: '1.0.0',
    type: 'rpc',
    description: 'This list',
    opts: [],
    metadata: [{ name: 'result.json' }, { name: 'result.txt' }],
  },
] as const;

function describeRows(): string[][] {
  return DESCRIPTIONS.map(({ name, version, description }) => [name.replace(/^frontend\./, ''), version, description]);
}

function answer(json: unknown, text: string, more: Readonly<Record<string, string>> = {}): FrontendResult {
  const encoder = new TextEncoder();
  const metadata = new Map([
    ['result.json', encoder.encode(JSON.stringify(json, undefined, 2))],
    ['result.txt', encoder.encode(text)],
    ['version', encoder.encode('1.0.0')],
  ]);
  for (const [key, value] of Object.entries(more)) metadata.set(key, encoder.encode(value));
  return { metadata };
}

/** Columns as wide as their widest cell, with blanks between. */
function table(rows: readonly (readonly string[])[], gap: number): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => `${row.map((cell, i) => (i + 1 < row.length ? cell.padEnd(widths[i]! + gap) : cell)).join('')}\n`)
    .join('');
}

function listTargets({ dockerfile }: BuildRequest): FrontendResult {
  const { stages } = readStages(parseDockerfile(dockerfile.text), Linter.silent);
  const targets = stages.map((stage, i) => ({
    name: stage.name || undefined,
    default: i + 1 === stages.length || undefined,
    description: stage.description || undefined,
    base: stage.base,
    platform: stage.platform || undefined,
    location: locationJson(stage.location),
  }));
  const rows = targets.map((target) => {
    const shown = target.name ?? '';
    const name = target.default ? `${shown}${shown === '' ? '' : ' '}(default)` : shown;
    return [name, target.description ?? ''];
  });
  const sources = [Buffer.from(dockerfile.source.data).toString('base64')];
  return answer({ targets, sources }, table([['TARGET', 'DESCRIPTION'], ...rows], 1));
}

async function outline(request: BuildRequest, call: CallOptions): Promise<FrontendResult> {
  const { client, contexts, options, dockerfile } = request;
  const { target, globalOutline } = await convertDockerfile(
    {
      text: dockerfile.text,
      source: dockerfile.source,
      client,
      contexts,
      options,
      targetPlatform: options.platforms[0],
      // Nobody is shown what it finds, but it may be told to fail.
      lint: linterOf(request, () => {}),
    },
    call,
  );
  const args = argsOf(target, globalOutline);
  const secrets = requirementsOf(target, ({ secrets: all }) => all);
  const ssh = requirementsOf(target, ({ ssh: all }) => all);
  const json = {
    name: target.stage.name || undefined,
    description: target.stage.description || undefined,
    args: args.length > 0 ? args : undefined,
    secrets: secrets.length > 0 ? secrets : undefined,
    ssh: ssh.length > 0 ? ssh : undefined,
    sources: [Buffer.from(dockerfile.source.data).toString('base64')],
  };
  const parts: string[] = [];
  if (json.name !== undefined || json.description !== undefined)
    parts.push(
      table(
        [
          ['TARGET:', json.name ?? '(default)'],
          ...(json.description === undefined ? [] : [['DESCRIPTION:', json.description]]),
        ],
        1,
      ),
    );
  const requirements = (all: readonly { name: string; required: boolean | undefined }[]) =>
    all.map(({ name, required }) => [name, required ? 'true' : '']);
  if (args.length > 0)
    parts.push(
      table(
        [
          ['BUILD ARG', 'VALUE', 'DESCRIPTION'],
          ...args.map(({ name, value, description }) => [name, value ?? '', description ?? '']),
        ],
        3,
      ),
    );
  if (secrets.length > 0) parts.push(table([['SECRET', 'REQUIRED'], ...requirements(secrets)], 3));
  if (ssh.length > 0) parts.push(table([['SSH', 'REQUIRED'], ...requirements(ssh)], 3));
  return answer(json, parts.map((part) => `${part}\n`).join(''));
}

function argsOf(target: StageState, globals: OutlineNotes) {
  const found = new Map<string, { name: string; description?: string; value?: string; location: LocationJson }>();
  const lines = new Map<string, number>();
  for (const state of reachableFrom(target)) {
    // Grows as arguments turn out to be made of others.
    const used = new Set(state.outline.usedArgs);
    for (const name of used) {
      const use = state.outline.args.get(name) ?? globals.args.get(name);
      if (use === undefined) continue;
      for (const other of use.dependencies ?? []) used.add(other);
      if (found.has(name)) continue;
      lines.set(name, use.location.startLine);
      found.set(name, {
        name,
        ...(use.definition.description === '' ? {} : { description: use.definition.description }),
        ...(use.value === '' ? {} : { value: use.value }),
        location: locationJson(use.location),
      });
    }
  }
  return [...found.values()].sort((a, b) => lines.get(a.name)! - lines.get(b.name)!);
}

function requirementsOf(
  target: StageState,
  pick: (notes: OutlineNotes) => ReadonlyMap<string, { readonly location: Location; readonly required: boolean }>,
) {
  const found = new Map<string, { location: Location; required: boolean }>();
  for (const state of reachableFrom(target))
    for (const [name, use] of pick(state.outline)) if (!found.has(name)) found.set(name, use);
  return [...found]
    .sort(([, a], [, b]) => a.location.startLine - b.location.startLine)
    .map(([name, { location, required }]) => ({
      name,
      required: required || undefined,
      location: locationJson(location),
    }));
}

/** Findings that are told: a generated Dockerfile can have one in each of many thousand lines. */
const MAX_FINDINGS = 5000;

async function lint(request: BuildRequest, call: CallOptions): Promise<FrontendResult> {
  const { client, contexts, options, dockerfile } = request;
  const findings: LintFinding[] = [];
  let count = 0;
  let buildError: { message: string; location?: LocationJson } | undefined;
  try {
    await convertDockerfile(
      {
        text: dockerfile.text,
        source: dockerfile.source,
        client,
        contexts,
        options,
        targetPlatform: options.platforms[0],
        lint: linterOf(request, (finding) => {
          if (++count <= MAX_FINDINGS) findings.push(finding);
        }),
        allStages: options.target === '',
      },
      call,
    );
  } catch (error) {
    call.signal.throwIfAborted();
    const location = error instanceof DockerfileError ? error.locations[0] : undefined;
    const message = error instanceof Error ? error.message : String(error);
    buildError = { message, ...(location === undefined ? {} : { location: locationJson(location) }) };
  }
  const warnings = findings.map(({ rule, message, location }) => ({
    ruleName: rule.name,
    description: rule.description,
    url: rule.url,
    detail: message,
    location: location === undefined ? {} : locationJson(location),
  }));
  const info = {
    filename: dockerfile.source.filename,
    data: Buffer.from(dockerfile.source.data).toString('base64'),
    language: dockerfile.source.language,
  };
  const lines = dockerfile.text.split('\n');
  const text = findings
    .toSorted((a, b) => (a.location?.startLine ?? 0) - (b.location?.startLine ?? 0))
    .map((finding) => findingText(finding, info.filename, lines))
    .join('');
  const more = count > MAX_FINDINGS ? `\nMore than ${MAX_FINDINGS} warnings: the others are not shown\n` : '';
  const failed = warnings.length > 0 || buildError !== undefined;
  return answer({ warnings, sources: [info], buildError }, text + more, { 'result.statuscode': failed ? '1' : '0' });
}

function findingText({ rule, message, location }: LintFinding, filename: string, lines: readonly string[]): string {
  const head = `\nWARNING: ${rule.name} - ${rule.url}\n${message}\n`;
  if (location === undefined) return head;
  return `${head}${snippet({ filename, lines, ...location }).join('\n')}\n`;
}

interface LocationJson {
  readonly ranges: readonly SourceRange[];
}

function locationJson(location: Location): LocationJson {
  return { ranges: rangesOf(location) };
}
