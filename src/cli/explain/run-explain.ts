import { existsSync } from 'node:fs';
import { CodedError, toCodedError } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../builder-api/client/index.ts';
import type { wire } from '../../builder-api/index.ts';
import { openPrivateBuilder, privateRoot } from '../build/private-builder.ts';
import type { ExplainCommand } from '../command-line.ts';
import type { CliIo } from '../io.ts';
import { printable } from '../progress/text.ts';

type MissedStep = wire.slipway.builder.v1.MissedStep.$Properties;
type Request = wire.slipway.builder.v1.ExplainRequest.$Properties;

/** What is told of one build. */
interface Explanation {
  /** The BuildRun with its namespace, of a cluster. */
  readonly run?: string;
  readonly build: string;
  readonly steps: number;
  readonly found: number;
  readonly missed: readonly MissedStep[];
}

/** `slipway explain`: why steps of a build were run. @throws CodedError */
export async function runExplain(command: ExplainCommand, io: CliIo): Promise<void> {
  const explanation = await explain(command.target, io);
  io.stdout.write(command.output === 'json' ? json(explanation) : text(explanation));
}

async function explain(target: ExplainCommand['target'], io: CliIo): Promise<Explanation> {
  switch (target.kind) {
    case 'build': {
      const address = target.builder ?? (await openPrivateBuilder(io)).address;
      await using client = openBuilderClient(address);
      return await ask(client, target.ref === undefined ? {} : { ref: target.ref }, io);
    }
    case 'any':
      return await explainAny(target.name, io);
    case 'run':
    case 'runOrBuild': {
      const { openRunBuilder } = await import('./run-builder.ts');
      await using found = await openRunBuilder(target, io);
      return { run: found.name, ...(await ask(found.client, { run: found.run }, io)) };
    }
  }
}

/** A cluster is asked where this machine knows of no such build, or may not even start the builder that would. */
async function explainAny(name: string, io: CliIo): Promise<Explanation> {
  const here = await outcomeOf(explainHere(name, io));
  if (!(here instanceof CodedError)) return here;
  if (here.code !== 'not_found' && here.code !== 'permission_denied') throw here;
  const target = { kind: 'runOrBuild', name, namespace: undefined, kubeconfig: undefined } as const;
  const there = await outcomeOf(explain(target, io));
  if (!(there instanceof CodedError)) return there;
  io.signal.throwIfAborted();
  throw new CodedError(here.code, `${here.message}; of a cluster: ${there.message}`, {
    ...{ cause: there, fault: 'user' },
    hint: '--builder ADDRESS names the builder of a build, --namespace and --kubeconfig the cluster of a run',
  });
}

async function explainHere(name: string, io: CliIo): Promise<Explanation> {
  // A builder without a state has nothing to tell, and need not be started.
  if (!existsSync(privateRoot(io)))
    throw new CodedError('not_found', `no build record of ${name}: nothing was built on this machine`, {
      fault: 'user',
    });
  return await explain({ kind: 'build', ref: name, builder: undefined }, io);
}

async function outcomeOf(explanation: Promise<Explanation>): Promise<Explanation | CodedError> {
  try {
    return await explanation;
  } catch (error) {
    return toCodedError(error);
  }
}

async function ask(client: BuilderClient, request: Request, { signal }: CliIo): Promise<Explanation> {
  let first: { readonly build: string; readonly steps: number; readonly found: number } | undefined;
  const missed: MissedStep[] = [];
  for await (const portion of client.explainer.explain(request, { signal })) {
    first ??= { build: portion.ref ?? '', steps: portion.steps ?? 0, found: portion.found ?? 0 };
    missed.push(...portion.missed);
  }
  return { ...(first ?? { build: '', steps: 0, found: 0 }), missed };
}

function text({ run, build, found, missed }: Explanation): string {
  // What is asked for in every build anyway is no news.
  const told = missed.filter(({ cause }) => cause !== 'unkeyed');
  const lines = [
    `${run === undefined ? `build ${printable(build)}` : `BuildRun ${printable(run)}`}: ${told.length === 0 ? 'no step missed the cache' : `${plural(told.length, 'step')} ran`}, ${found} from the cache`,
  ];
  for (const step of told) {
    lines.push('', printable(step.name ?? ''), `  ${printable(step.text ?? '')}`);
    const changes = step.changes ?? [];
    if ((step.changeCount ?? 0) < 2) continue;
    for (const { kind, name, change, before, after } of changes) {
      const values = before && after ? ` (${before} → ${after})` : '';
      lines.push(`    ${change}: ${kind === 'file' ? '' : `${kind} `}${printable(`${name ?? ''}${values}`)}`);
    }
    const rest = (step.changeCount ?? 0) - changes.length;
    if (rest > 0) lines.push(`    … and ${rest} more`);
  }
  return `${lines.join('\n')}\n`;
}

function json({ run, build, steps, found, missed }: Explanation): string {
  const told = missed.map(
    ({ vertex, name, cause, text: sentence, short, step, changes = [], changeCount, unread }) => ({
      ...{ vertex, name, cause, text: sentence, short },
      ...(step ? { step } : {}),
      ...(unread?.length ? { unread: unread.map(({ cache, why }) => ({ cache, why })) } : {}),
      ...(changes?.length
        ? {
            changes: changes.map(({ kind, name: of, change, before, after }) => ({
              ...{ kind, change },
              ...(of ? { name: of } : {}),
              ...(before || after ? { before, after } : {}),
            })),
            changeCount,
          }
        : {}),
    }),
  );
  return `${JSON.stringify({ run, build, steps, found, missed: told }, null, 2)}\n`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
