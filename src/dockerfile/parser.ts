import { invalidArgument } from '../base/index.ts';
import {
  jsonOrList,
  jsonOrString,
  keyValues,
  list,
  type ParsedArguments,
  single,
  splitInstruction,
  typeAndCommand,
  words,
} from './arguments.ts';
import { DirectiveReader } from './directives.ts';
import { type Heredoc, heredocsOfLine } from './heredoc.ts';
import { DockerfileError, type Location, located } from './location.ts';
import { trimEndOf, trimSpace, trimStartSpace } from './text.ts';

/** One instruction as written, with its arguments split but nothing expanded. */
export interface InstructionNode {
  /** The keyword in the case of the file. */
  readonly command: string;
  /** The line with its continuations joined. */
  readonly original: string;
  readonly flags: readonly string[];
  readonly args: readonly string[];
  /** The arguments were a JSON array. */
  readonly json: boolean;
  readonly heredocs: readonly Heredoc[];
  readonly location: Location;
  /** Comment lines right above. */
  readonly comments: readonly string[];
  /** The trigger of ONBUILD. */
  readonly trigger?: InstructionNode;
}

export interface ParsedDockerfile {
  readonly nodes: readonly InstructionNode[];
  /** Backslash, or the backtick that an escape directive chose. */
  readonly escape: string;
  /** Lines that end an instruction with an empty continuation line in it. */
  readonly emptyContinuations: readonly Location[];
}

/** Longer lines are refused, as the field's parsers do. */
const MAX_LINE_BYTES = 64 * 1024 - 1;

/**
 * Splits a Dockerfile into instructions.
 * @throws DockerfileError invalid_argument with the line
 */
export function parseDockerfile(source: string): ParsedDockerfile {
  return new Parser(source).parse();
}

class Parser {
  readonly #lines: readonly string[];
  readonly #directives = new DirectiveReader();
  readonly #nodes: InstructionNode[] = [];
  readonly #emptyContinuations: Location[] = [];
  #escape = '\\';
  #line = 0;

  constructor(source: string) {
    this.#lines = splitLines(source.startsWith('\ufeff') ? source.slice(1) : source);
  }

  parse(): ParsedDockerfile {
    let comments: string[] = [];
    while (this.#line < this.#lines.length) {
      const raw = this.#take();
      const line = trimStartSpace(trimNewline(raw));
      const isDirective = this.#directive(line);
      if (isComment(raw)) {
        const comment = trimSpace(raw.slice(1));
        if (comment === '') comments = [];
        else if (!isDirective) comments.push(comment);
        continue;
      }
      const startLine = this.#line;
      const text = this.#joined(line);
      if (text === undefined) continue;
      this.#nodes.push(this.#instruction(text, startLine, comments));
      comments = [];
    }
    if (this.#nodes.length === 0) throw this.#error('file with no instructions');
    return { nodes: this.#nodes, escape: this.#escape, emptyContinuations: this.#emptyContinuations };
  }

  #take(): string {
    const line = this.#lines[this.#line]!;
    this.#line += 1;
    if (line.length > MAX_LINE_BYTES / 4 && Buffer.byteLength(line) > MAX_LINE_BYTES)
      throw this.#error(`dockerfile line greater than max allowed size of ${MAX_LINE_BYTES}`);
    return line;
  }

  #error(message: string, startLine = this.#line): DockerfileError {
    return new DockerfileError('invalid_argument', message, [{ startLine, endLine: this.#line }]);
  }

  #directive(line: string): boolean {
    try {
      const directive = this.#directives.read(line);
      if (directive?.name === 'escape') {
        if (directive.value !== '\\' && directive.value !== '`')
          throw invalidArgument(`invalid escape token '${directive.value}' does not match \` or \\`);
        this.#escape = directive.value;
      }
      return directive !== undefined;
    } catch (error) {
      throw located(error, { startLine: this.#line, endLine: this.#line });
    }
  }

  /** The line with its continuation lines; comments between them are skipped. Undefined for an empty line. */
  #joined(first: string): string | undefined {
    const { text, continues } = this.#continuation(first);
    if (!continues) return text === '' ? undefined : text;
    const parts = [text];
    let open = true;
    let sawEmpty = false;
    while (open && this.#line < this.#lines.length) {
      const raw = this.#take();
      if (isComment(raw)) continue;
      const line = trimNewline(raw);
      if (trimStartSpace(line) === '') {
        sawEmpty = true;
        continue;
      }
      const next = this.#continuation(line);
      parts.push(next.text);
      open = next.continues;
    }
    if (sawEmpty) this.#emptyContinuations.push({ startLine: this.#line, endLine: this.#line });
    return parts.join('');
  }

  /** The escape character at the end of a line joins it with the next, unless another stands before it. */
  #continuation(line: string): { text: string; continues: boolean } {
    const text = trimEndOf(line, ' \t');
    if (!text.endsWith(this.#escape)) return { text: line, continues: false };
    const before = text.slice(0, -1);
    return before.endsWith(this.#escape) ? { text: line, continues: false } : { text: before, continues: true };
  }

  #instruction(line: string, startLine: number, comments: readonly string[]): InstructionNode {
    try {
      const node = nodeOfLine(line, this.#escape, { startLine, endLine: this.#line }, comments);
      const heredocs = takesHeredocs(node) && line.includes('<<') ? heredocsOfLine(line) : [];
      if (heredocs.length === 0) return node;
      const filled = heredocs.map((heredoc) => this.#content(heredoc, startLine));
      return { ...node, heredocs: filled, location: { startLine, endLine: this.#line } };
    } catch (error) {
      throw error instanceof DockerfileError ? error : located(error, { startLine, endLine: this.#line });
    }
  }

  #content(heredoc: Heredoc, startLine: number): Heredoc {
    const content: string[] = [];
    while (this.#line < this.#lines.length) {
      const raw = this.#take();
      const line = trimNewline(raw);
      if ((heredoc.chomp ? line.replace(/^\t+/, '') : line) === heredoc.name)
        return { ...heredoc, content: content.join('') };
      content.push(raw);
    }
    throw this.#error('unterminated heredoc', startLine);
  }
}

/** Lines with their line feed. */
function splitLines(source: string): string[] {
  const lines = source.split('\n').map((line, i, all) => (i + 1 < all.length ? `${line}\n` : line));
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function trimNewline(line: string): string {
  return trimEndOf(line, '\r\n');
}

function isComment(line: string): boolean {
  return trimStartSpace(line).startsWith('#');
}

function takesHeredocs(node: InstructionNode): boolean {
  const inner = node.trigger ?? node;
  return ['add', 'copy', 'run'].includes(inner.command.toLowerCase()) && !inner.json;
}

function nodeOfLine(
  line: string,
  escapeToken: string,
  location: Location,
  comments: readonly string[],
  isTrigger = false,
): InstructionNode {
  const { command, flags, rest } = splitInstruction(line, escapeToken);
  const base = { command, original: line, flags, heredocs: [], location, comments };
  if (command.toLowerCase() === 'onbuild') {
    if (rest === '') return { ...base, args: [], json: false };
    // A chain of triggers is refused when the instruction is read; here it must not nest without end.
    if (isTrigger) return { ...base, args: [rest], json: false };
    const trigger = nodeOfLine(rest, escapeToken, location, [], true);
    return { ...base, args: [trigger.command, ...trigger.args], json: false, trigger };
  }
  return { ...base, ...argumentsOf(command.toLowerCase(), rest, escapeToken) };
}

function argumentsOf(command: string, rest: string, escapeToken: string): ParsedArguments {
  switch (command) {
    case 'add':
    case 'copy':
    case 'volume':
      return jsonOrList(rest);
    case 'cmd':
    case 'entrypoint':
    case 'run':
    case 'shell':
      return jsonOrString(rest);
    case 'expose':
    case 'from':
      return list(rest);
    case 'arg':
      return words(rest, escapeToken);
    case 'env':
    case 'label':
      return keyValues(rest, command.toUpperCase(), escapeToken);
    case 'healthcheck':
      return typeAndCommand(rest);
    default:
      return single(rest);
  }
}
