import { invalidArgument, type Platform } from '../base/index.ts';
import { decodeOp, marshalOutput, type Output, type SourceOp, source as sourceStep } from '../llb/index.ts';
import type { BuildContexts } from './contexts.ts';
import { remoteSource } from './dispatch-copy.ts';
import { expandCommand } from './expand-command.ts';
import type { CallOptions, DockerfileClient } from './frontend-interface.ts';
import type { Stage } from './instructions.ts';
import { located } from './location.ts';
import { findNamedContext, loadNamedContext } from './named-context.ts';
import type { BuildOptions } from './options.ts';
import { expand } from './shell-lex.ts';
import type { Environment } from './stage-state.ts';

interface EpochInput {
  readonly client: DockerfileClient;
  readonly contexts: BuildContexts;
  readonly options: BuildOptions;
  readonly stages: readonly Stage[];
  /** What FROM sees: the arguments before the first of them. */
  readonly args: Environment;
  readonly escapeToken: string;
  readonly platform: Platform;
}

/** SOURCE_DATE_EPOCH as seconds, where it is a number; undefined for nothing and for what has to be looked up. */
export function plainEpoch(text: string): number | undefined {
  return /^[+-]?\d{1,12}$/.test(text) ? Number(text) : undefined;
}

/**
 * SOURCE_DATE_EPOCH that names where the time comes from: `context`, a named context, or a stage that only adds one remote source. Undefined where there is no
 * telling, as of a local directory. @throws CodedError for what is none of these
 */
export async function lookUpEpoch(name: string, input: EpochInput, call: CallOptions): Promise<number | undefined> {
  const { output, logName } = await sourceNamed(name, input, call);
  const source = output === undefined ? undefined : onlySource(output, input.platform);
  if (output === undefined || source === undefined) return undefined;
  const time = await input.client.sourceTime(source, { logName }, call);
  const filename = source.attrs['http.filename'];
  if (time !== undefined || !/^https?:\/\//.test(source.identifier) || filename === undefined) return time;
  const archive = await input.contexts.solve(sourceStep(source).output, call);
  return await input.client.newestInArchive(archive, filename, call);
}

async function sourceNamed(
  name: string,
  input: EpochInput,
  call: CallOptions,
): Promise<{ readonly output: Output | undefined; readonly logName: string }> {
  const { client, contexts, options, stages, platform } = input;
  if (name === 'context')
    return {
      output: await contexts.remoteContext(call),
      logName: '[internal] resolve main build context metadata',
    };
  const context = findNamedContext(client, name, platform, () => []);
  if (context !== undefined) {
    const { output } = await loadNamedContext(context, client, contexts, options.resolveMode, call);
    return { output, logName: `[internal] resolve SOURCE_DATE_EPOCH named context ${name}` };
  }
  const stage = stages.find((one) => one.name.toLowerCase() === name.toLowerCase() && one.name !== '');
  if (stage === undefined)
    throw invalidArgument(`invalid SOURCE_DATE_EPOCH: ${name}`, {
      hint: 'give seconds since 1970, context, or the name of a stage or context',
    });
  try {
    return {
      output: stageSource(stage, input),
      logName: `[internal] resolve SOURCE_DATE_EPOCH source stage ${stage.name}`,
    };
  } catch (error) {
    throw located(error, stage.location);
  }
}

/** The one remote source that a stage of ARGs and an ADD on scratch has. */
function stageSource(stage: Stage, { args, options, escapeToken }: EpochInput): Output {
  const env = args.clone();
  env.delete('SOURCE_DATE_EPOCH');
  if (expand(stage.base, env, { escape: escapeToken }).result !== 'scratch')
    throw invalidArgument('SOURCE_DATE_EPOCH stage must use FROM scratch');
  let source: Output | undefined;
  for (const command of stage.commands) {
    if (command.kind === 'arg') {
      for (const { key, value } of command.definitions) {
        const given =
          options.buildArgs.get(key) ??
          (value === undefined ? undefined : expand(value, env, { escape: escapeToken }).result);
        if (given !== undefined) env.set(key, given);
      }
    } else if (command.kind !== 'add')
      throw invalidArgument(
        `SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported ${command.kind.toUpperCase()} instruction`,
      );
    else if (source !== undefined) throw invalidArgument('SOURCE_DATE_EPOCH stage must contain exactly one remote ADD');
    else {
      const word = (text: string) => expand(text, env, { escape: escapeToken }).result;
      const expanded = expandCommand(command, { word, raw: word });
      source = expanded.kind === 'add' ? remoteSource(expanded) : undefined;
      if (source === undefined)
        throw invalidArgument('SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD');
    }
  }
  if (source === undefined) throw invalidArgument('SOURCE_DATE_EPOCH stage must contain exactly one remote ADD');
  return source;
}

/** The source of a graph that has one. */
function onlySource(output: Output, platform: Platform): SourceOp | undefined {
  const sources = marshalOutput(output, { platform }).ops.flatMap((bytes) => {
    const { body } = decodeOp(bytes);
    return body.kind === 'source' ? [body.source] : [];
  });
  return sources.length === 1 ? sources[0] : undefined;
}
