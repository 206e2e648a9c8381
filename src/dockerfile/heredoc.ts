import { invalidArgument } from '../base/index.ts';
import { EMPTY_ENV, expand } from './shell-lex.ts';

/** A here-document that follows its instruction. */
export interface Heredoc {
  readonly name: string;
  readonly fileDescriptor: number;
  /** Variables are expanded, since no part of the name was quoted. */
  readonly expand: boolean;
  /** `<<-`: leading tabs are taken off. */
  readonly chomp: boolean;
  readonly content: string;
}

const MARK = /^(\d*)<<(-?)\s*([^<]*)$/u;

/** A word such as `<<EOF`, `3<<-"EOF"`; undefined when it is no here-document mark. */
function parseHeredocMark(word: string): Heredoc | undefined {
  const match = MARK.exec(word);
  if (match === null || match[3] === '') return undefined;
  const rest = match[3]!;
  const plain = expand(rest, EMPTY_ENV, { skipUnset: true }).words;
  if (plain.length !== 1) return undefined;
  const raw = expand(rest, EMPTY_ENV, { skipUnset: true, rawQuotes: true }).words;
  if (raw.length !== 1) throw invalidArgument(`the name of the here-document cannot be read: ${rest}`);
  return {
    name: plain[0]!,
    fileDescriptor: match[1] === '' ? 0 : Number(match[1]),
    expand: quotesIn(plain[0]!) === quotesIn(raw[0]!),
    chomp: match[2] === '-',
    content: '',
  };
}

/** As {@link parseHeredocMark}; a word that cannot be read is no mark. */
export function heredocMark(word: string): Heredoc | undefined {
  try {
    return parseHeredocMark(word);
  } catch {
    return undefined;
  }
}

/** All here-documents that a line announces, in order. */
export function heredocsOfLine(line: string): Heredoc[] {
  let words: readonly string[];
  try {
    words = expand(line, EMPTY_ENV, { rawQuotes: true, rawEscapes: true, skipUnset: true }).words;
  } catch {
    return [];
  }
  return words.map(parseHeredocMark).filter((found) => found !== undefined);
}

export function chompTabs(content: string): string {
  return content.replace(/^\t+/gm, '');
}

/** The first line of a here-document, for display. */
export function summarizeHeredoc(content: string): string {
  const lines = content.trim().replaceAll('\r\n', '\n').split('\n');
  return lines.length > 1 ? `${lines[0]}...` : lines[0]!;
}

function quotesIn(text: string): number {
  return text.replace(/[^'"]/g, '').length;
}
