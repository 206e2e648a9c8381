import type { Command, CopySources, KeyValue } from './instructions.ts';
import { parseMount } from './mount.ts';

interface Expanders {
  /** A word with quotes and escapes. */
  word(text: string): string;
  /** The content of a here-document. */
  raw(text: string): string;
}

/** The instruction with its variables replaced, in those members where the Dockerfile reference says so. */
export function expandCommand(command: Command, expanders: Expanders): Command {
  const { word } = expanders;
  switch (command.kind) {
    case 'env':
    case 'label':
      return { ...command, pairs: command.pairs.map((pair) => expandPair(pair, expanders)) };
    case 'copy':
    case 'add':
      return {
        ...command,
        chown: word(command.chown),
        chmod: word(command.chmod),
        checksum: word(command.checksum),
        sources: expandSources(command.sources, expanders),
      };
    case 'run':
      return { ...command, mounts: command.mountTexts.map((text) => parseMount(text, word)) };
    case 'workdir':
    case 'user':
    case 'stopsignal':
      return { ...command, value: word(command.value) };
    case 'volume':
      return { ...command, volumes: command.volumes.map((volume) => word(volume)) };
    default:
      return command;
  }
}

function expandPair(pair: KeyValue, { word }: Expanders): KeyValue {
  return { ...pair, key: word(pair.key), value: word(pair.value) };
}

function expandSources(sources: CopySources, { word, raw }: Expanders): CopySources {
  return {
    paths: sources.paths.map((path) => word(path)),
    destination: word(sources.destination),
    files: sources.files.map((file) => (file.expand ? { ...file, data: raw(file.data) } : file)),
  };
}
