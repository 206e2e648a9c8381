import { annotate } from '../base/index.ts';
import type { BuildContexts, Entrypoint } from './contexts.ts';
import { findDirective } from './directives.ts';
import type { DockerfileClient } from './frontend-interface.ts';
import { Linter, type LintFinding, type LintOptions, parseLintOptions } from './lint.ts';
import type { BuildOptions } from './options.ts';

/** Everything of one request that its parts share. */
export interface BuildRequest {
  readonly client: DockerfileClient;
  readonly contexts: BuildContexts;
  readonly options: BuildOptions;
  readonly dockerfile: Entrypoint;
}

/** The linter that the build argument or the file's check directive asks for. */
export function linterOf(request: BuildRequest, report: (finding: LintFinding) => void): Linter {
  const directive = findDirective('check', request.dockerfile.text);
  return new Linter(request.options.lint ?? checkOptions((directive?.value ?? '').split(' ', 1)[0]!), report);
}

function checkOptions(text: string): LintOptions {
  try {
    return parseLintOptions(text);
  } catch (error) {
    throw annotate(error, 'failed to parse check options');
  }
}
