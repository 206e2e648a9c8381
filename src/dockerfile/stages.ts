import { invalidArgument } from '../base/index.ts';
import type { Command, CommandOf, Stage } from './instructions.ts';
import type { Linter } from './lint.ts';
import { DockerfileError, located, relocated } from './location.ts';
import type { ParsedDockerfile } from './parser.ts';
import { readInstruction } from './read-instruction.ts';

/** The stages of a Dockerfile and the ARGs before the first. */
interface Stages {
  readonly stages: readonly Stage[];
  readonly globalArgs: readonly CommandOf<'arg'>[];
}

/** @throws DockerfileError `dockerfile parse error on line N: …` */
export function readStages(parsed: ParsedDockerfile, lint: Linter): Stages {
  const stages: { stage: Stage; commands: Command[] }[] = [];
  const globalArgs: CommandOf<'arg'>[] = [];
  for (const node of parsed.nodes) {
    let instruction: Stage | Command;
    try {
      instruction = readInstruction(node, lint);
    } catch (error) {
      const { message } = error as Error;
      const locations = error instanceof DockerfileError ? error.locations : [node.location];
      throw relocated(error, locations, `dockerfile parse error on line ${node.location.startLine}: ${message}`);
    }
    const current = stages.at(-1);
    if (!('kind' in instruction)) stages.push({ stage: instruction, commands: [] });
    else if (current !== undefined) current.commands.push(instruction);
    else if (instruction.kind === 'arg') globalArgs.push(instruction);
    else throw located(invalidArgument('no build stage in current context'), node.location);
  }
  return { stages: stages.map(({ stage, commands }) => ({ ...stage, commands })), globalArgs };
}
