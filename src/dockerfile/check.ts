import { findDirective } from './directives.ts';
import { Linter, type LintFinding, parseLintOptions } from './lint.ts';
import { parseDockerfile } from './parser.ts';
import { checkCasing, checkStageNames } from './stage-lint.ts';
import { readStages } from './stages.ts';

/** What reading a Dockerfile without its context tells. */
interface DockerfileCheck {
  /** Names of the stages that have one, in order. */
  readonly stages: readonly string[];
  readonly findings: readonly LintFinding[];
}

/** An early check, before anything is built. @throws DockerfileError with the lines at fault */
export function checkDockerfile(text: string): DockerfileCheck {
  const findings: LintFinding[] = [];
  const options = parseLintOptions((findDirective('check', text)?.value ?? '').split(' ', 1)[0]!);
  const lint = new Linter(options, (finding) => findings.push(finding));
  const { stages } = readStages(parseDockerfile(text), lint);
  checkStageNames(stages, lint);
  checkCasing(stages, lint);
  return { stages: stages.map(({ name }) => name).filter((name) => name !== ''), findings };
}
