import type { ImageConfig } from './image-config.ts';
import type { CommandLine } from './instructions.ts';

/** The command line as the image runs it. */
export function withShell(image: ImageConfig, line: CommandLine): string[] {
  if (!line.shell) return [...line.args];
  const shell = image.config.shell ?? [];
  return [...(shell.length > 0 ? shell : defaultShell(image.os)), line.args.join(' ')];
}

function defaultShell(os: string): readonly string[] {
  return os === 'windows' ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c'];
}
