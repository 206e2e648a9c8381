import { createHash } from 'node:crypto';
import deprecated from 'spdx-license-ids/deprecated.json' with { type: 'json' };
import current from 'spdx-license-ids/index.json' with { type: 'json' };

/** A license in the words of SPDX. */
interface SpdxLicense {
  readonly expression: string;
  /** What its references stand for, by their ids. */
  readonly others: ReadonlyMap<string, string>;
}

const KNOWN: ReadonlyMap<string, string> = new Map(
  [...deprecated, ...current].map((id): [string, string] => [id.toLowerCase(), id]),
);

/** What distributions and authors call licenses that have an id. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['expat', 'MIT'],
  ['mit license', 'MIT'],
  ['apache-2', 'Apache-2.0'],
  ['apache 2.0', 'Apache-2.0'],
  ['apache license 2.0', 'Apache-2.0'],
  ['apache license, version 2.0', 'Apache-2.0'],
  ['isc license', 'ISC'],
  ['isc license (iscl)', 'ISC'],
  ['mozilla public license 2.0 (mpl 2.0)', 'MPL-2.0'],
  ['python software foundation license', 'PSF-2.0'],
  ['bsd-3-clause license', 'BSD-3-Clause'],
  ['zlib', 'Zlib'],
]);
/** As Debian and older packages write versions of the GNU licenses: `GPL-2+`, `LGPL-2.1`, `GPL-3.0+`. */
const GNU = /^(A?GPL|LGPL|GFDL)-(\d)(?:\.(\d))?(\+?)$/i;
const MOST_OPERANDS = 200;

/** @returns undefined for what says nothing */
export function spdxLicense(text: string): SpdxLicense | undefined {
  const others = new Map<string, string>();
  const expression = expressionOf(text, others) ?? referenceTo(text.trim(), others);
  return text.trim() === '' ? undefined : { expression, others };
}

/** Operands joined by AND and OR; undefined for what is not built so. */
function expressionOf(text: string, others: Map<string, string>): string | undefined {
  const parts = text
    .split(/(\(|\)|\s(?:and|or)\s)/i)
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length > 2 * MOST_OPERANDS) return undefined;
  const found = new Map<string, string>();
  const written: string[] = [];
  let depth = 0;
  let wantsOperand = true;
  for (const part of parts) {
    if (part === '(') {
      if (!wantsOperand) return undefined;
      depth++;
      written.push('(');
    } else if (part === ')') {
      if (wantsOperand || --depth < 0) return undefined;
      written.push(')');
    } else if (/^(and|or)$/i.test(part)) {
      if (wantsOperand) return undefined;
      wantsOperand = true;
      written.push(` ${part.toUpperCase()} `);
    } else {
      if (!wantsOperand) return undefined;
      wantsOperand = false;
      written.push(idOf(part) ?? referenceTo(part, found));
    }
  }
  if (wantsOperand || depth !== 0) return undefined;
  for (const [id, its] of found) others.set(id, its);
  // What is called by two names of one license is that license once.
  const operators = new Set(written.filter((part) => part.startsWith(' ')));
  const isFlat = operators.size <= 1 && !written.includes('(');
  return isFlat
    ? [...new Set(written.filter((part) => !operators.has(part)))].join([...operators][0])
    : written.join('');
}

function idOf(text: string): string | undefined {
  const known = KNOWN.get(text.toLowerCase()) ?? ALIASES.get(text.toLowerCase());
  if (known !== undefined && !/^(A?GPL|LGPL|GFDL)-/.test(known)) return known;
  const [, family, major, minor = '0', later] = GNU.exec(text) ?? [];
  const gnu = family === undefined ? undefined : `${family}-${major}.${minor}-${later === '' ? 'only' : 'or-later'}`;
  return (gnu === undefined ? undefined : KNOWN.get(gnu.toLowerCase())) ?? known;
}

/** A license that has no id is named by its text. */
function referenceTo(text: string, others: Map<string, string>): string {
  const readable = text
    .replace(/[^A-Za-z0-9.]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8);
  const id = `LicenseRef-${readable === '' ? '' : `${readable}-`}${hash}`;
  others.set(id, text);
  return id;
}
