/** One challenge of a WWW-Authenticate header (RFC 9110, 11.6.1); parameter names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;

/** Takes the challenges of the header apart; what does not parse ends the list. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  let at = 0;
  const skip = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < header.length) {
    skip(/[\s,]+/y);
    const word = skip(TOKEN)?.[0];
    if (word === undefined) break;
    if (skip(/\s*=\s*/y) === null) {
      challenges.push({ scheme: word.toLowerCase(), parameters: {} });
      continue;
    }
    const quoted = skip(QUOTED)?.[1];
    const value = quoted === undefined ? skip(TOKEN)?.[0] : quoted.replaceAll(/\\(.)/g, '$1');
    const current = challenges.at(-1);
    if (value === undefined || current === undefined) break;
    current.parameters[word.toLowerCase()] = value;
  }
  return challenges;
}
