import { invalidArgument } from '../base/index.ts';
import type { Location } from './location.ts';
import { cut, trimStartSpace } from './text.ts';

/** A parser directive, `# name=value`, in the first comment lines. */
interface Directive {
  readonly name: string;
  readonly value: string;
  readonly location: Location;
}

const KNOWN = new Set(['syntax', 'escape', 'check']);
const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)$/su;

/** Reads directives line by line until the first line that is none. */
export class DirectiveReader {
  readonly #comment: string;
  readonly #seen = new Set<string>();
  #line: number;
  #done = false;

  constructor(comment = '#', firstLine = 1) {
    this.#comment = comment;
    this.#line = firstLine - 1;
  }

  get done(): boolean {
    return this.#done;
  }

  /** @throws CodedError when a directive is given twice */
  read(line: string): Directive | undefined {
    this.#line += 1;
    if (this.#done) return undefined;
    const match = line.startsWith(this.#comment)
      ? DIRECTIVE.exec(trimStartSpace(line.slice(this.#comment.length)))
      : null;
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || !KNOWN.has(name)) {
      this.#done = true;
      return undefined;
    }
    if (this.#seen.has(name)) throw invalidArgument(`only one ${name} parser directive can be used`);
    this.#seen.add(name);
    return { name, value: match[2]!.trimEnd(), location: { startLine: this.#line, endLine: this.#line } };
  }
}

/** What a syntax directive asks for: the frontend image and the whole line as written. */
export interface SyntaxRequest {
  readonly reference: string;
  readonly commandLine: string;
  readonly location: Location;
}

/**
 * The frontend that a file asks for, whatever the language of the file: `# syntax=`, `// syntax=`, or a JSON object with a `syntax`
 * member. A first line `#!…` is skipped.
 */
export function detectSyntax(source: string): SyntaxRequest | undefined {
  const found = findDirective('syntax', source, '#') ?? findDirective('syntax', source, '//');
  if (found !== undefined)
    return { reference: cut(found.value, ' ')[0], commandLine: found.value, location: found.location };
  const json = jsonSyntax(source);
  return json === undefined
    ? undefined
    : { reference: json, commandLine: json, location: { startLine: 1, endLine: 1 } };
}

/** The value of `# name=…`, as written up to the end of the line. */
export function findDirective(name: string, source: string, comment = '#'): Directive | undefined {
  let text = source.startsWith('\ufeff') ? source.slice(1) : source;
  let firstLine = 1;
  if (text.startsWith('#!')) {
    text = cut(text, '\n')[1] ?? '';
    firstLine = 2;
  }
  const reader = new DirectiveReader(comment, firstLine);
  try {
    while (text !== '' && !reader.done) {
      const [line, rest] = cut(text, '\n');
      const directive = reader.read(line.replace(/\r$/, ''));
      if (directive?.name === name) return directive;
      text = rest ?? '';
    }
  } catch {
    // A doubled directive is reported by the parser.
  }
  return undefined;
}

function jsonSyntax(source: string): string | undefined {
  if (!source.trimStart().startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(source);
    const syntax = (value as Record<string, unknown>)['syntax'];
    return typeof syntax === 'string' ? syntax : undefined;
  } catch {
    return undefined;
  }
}
