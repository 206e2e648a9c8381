import { invalidArgument } from '../base/index.ts';
import { cut, isSpace, quote, trimSpace, trimStartSpace } from './text.ts';

/** What follows an instruction's flags. `json`: it was a JSON array. */
export interface ParsedArguments {
  readonly args: readonly string[];
  readonly json: boolean;
}

/** Blanks that separate arguments; a line feed cannot occur inside an instruction. */
const BLANKS = /[\t\v\f\r ]+/;

/** Splits `COMMAND --flag=… rest`. Flags lose their quotes and escapes. */
export function splitInstruction(
  line: string,
  escapeToken: string,
): { command: string; flags: string[]; rest: string } {
  const text = trimSpace(line);
  const blank = BLANKS.exec(text);
  if (blank === null) return { command: text, flags: [], rest: '' };
  const { flags, rest } = takeFlags(text.slice(blank.index + blank[0].length), escapeToken);
  return { command: text.slice(0, blank.index), flags, rest: trimSpace(rest) };
}

function takeFlags(line: string, escapeToken: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at]!)) at += 1;
    if (at >= line.length) return { flags, rest: '' };
    if (!line.startsWith('--', at)) return { flags, rest: line.slice(at) };
    let word = '';
    let quoted = '';
    let blankAllowed = false;
    for (; at < line.length; at += 1) {
      let character = line[at]!;
      if (quoted === '' && isSpace(character)) break;
      if (quoted === '' && (character === "'" || character === '"')) {
        quoted = character;
        blankAllowed = true;
        continue;
      }
      if (character === quoted) {
        quoted = '';
        continue;
      }
      if (character === escapeToken) {
        if (at + 1 === line.length) continue;
        at += 1;
        character = line[at]!;
      }
      word += character;
    }
    if (word === '--') return { flags, rest: line.slice(at) };
    if (word !== '' || blankAllowed) flags.push(word);
  }
}

/** A JSON array of strings. Undefined when it is no JSON array; @throws when it is one of other things */
function jsonStrings(text: string): string[] | undefined {
  const trimmed = trimStartSpace(text);
  if (!trimmed.startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(trimmed);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((item) => typeof item === 'string'))
    throw invalidArgument('when using JSON array syntax, arrays must be comprised of strings only');
  return value;
}

/** The whole text as one argument, or a JSON array. */
export function jsonOrString(rest: string): ParsedArguments {
  if (rest === '') return { args: [], json: false };
  const json = jsonStrings(rest);
  return json === undefined ? { args: [rest], json: false } : { args: json, json: true };
}

/** Blank-separated arguments, or a JSON array. */
export function jsonOrList(rest: string): ParsedArguments {
  const json = jsonStrings(rest);
  return json === undefined ? list(rest) : { args: json, json: true };
}

export function list(rest: string): ParsedArguments {
  return { args: rest === '' ? [] : rest.split(BLANKS), json: false };
}

export function single(rest: string): ParsedArguments {
  return { args: rest === '' ? [] : [rest], json: false };
}

/** `HEALTHCHECK CMD …`: a type, then a command. */
export function typeAndCommand(rest: string): ParsedArguments {
  let end = 0;
  while (end < rest.length && !isSpace(rest[end]!)) end += 1;
  if (end === 0) return { args: [], json: false };
  const { args, json } = jsonOrString(trimStartSpace(rest.slice(end)));
  return { args: [rest.slice(0, end), ...args], json };
}

/** Words with their quotes and escapes kept, as expansion wants them. */
export function words(rest: string, escapeToken: string): ParsedArguments {
  return { args: splitWords(rest, escapeToken), json: false };
}

/** Key, value and separator (`=`, or empty for the form `KEY value`) of each pair, flattened in threes. */
export function keyValues(rest: string, instruction: string, escapeToken: string): ParsedArguments {
  const parts = splitWords(rest, escapeToken);
  if (parts.length === 0) return { args: [], json: false };
  if (!parts[0]!.includes('=')) {
    const blank = BLANKS.exec(rest);
    if (blank === null) throw invalidArgument(`${instruction} must have two arguments`);
    return { args: [rest.slice(0, blank.index), rest.slice(blank.index + blank[0].length), ''], json: false };
  }
  const args: string[] = [];
  for (const part of parts) {
    const [key, value] = cut(part, '=');
    if (value === undefined)
      throw invalidArgument(`Syntax error - can't find = in ${quote(part)}. Must be of the form: name=value`);
    args.push(key, value, '=');
  }
  return { args, json: false };
}

function splitWords(rest: string, escapeToken: string): string[] {
  const found: string[] = [];
  const characters = [...rest];
  let word = '';
  let quoted = '';
  let blankAllowed = false;
  let inWord = false;
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]!;
    if (quoted === '' && isSpace(character)) {
      if (inWord && (word !== '' || blankAllowed)) found.push(word);
      word = '';
      blankAllowed = false;
      inWord = false;
      continue;
    }
    inWord = true;
    if (character === quoted) quoted = '';
    else if (quoted === '' && (character === "'" || character === '"')) {
      quoted = character;
      blankAllowed = true;
    } else if (character === escapeToken && quoted !== "'") {
      // Nothing follows at the end of the line, so the escapeToken says nothing.
      if (at + 1 === characters.length) break;
      word += character;
      at += 1;
      word += characters[at];
      continue;
    }
    word += character;
  }
  if (inWord && (word !== '' || blankAllowed)) found.push(word);
  return found;
}
