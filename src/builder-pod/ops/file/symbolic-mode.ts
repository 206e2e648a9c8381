import { invalidArgument } from '../../../base/index.ts';

/** A list of clauses, each some classes of users and actions on them: `u+x,go-w`, `a=rX`, `g=u`, `=rw,+X`. */
const SYMBOLIC = /^[ugoa]*(?:[-+=][rwxXstugo]*)+(?:,[ugoa]*(?:[-+=][rwxXstugo]*)+)*$/;

const STICKY = 0o1000;
const EVERYONE = 0o6777;
/** The bits that belong to a class: its set-id bit too. */
const CLASS_BITS: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o0007, a: EVERYONE };
const CLASS_SHIFT: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
/** What a letter stands for before it is narrowed to the classes named. */
const LETTER_BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: STICKY };

/**
 * Applies a mode as BSD's chmod(1) takes it, octal or symbolic, with no umask, to a file's permission bits: what BuildKit does. `X` looks at the mode as it was
 * before. @throws CodedError invalid_argument
 */
export function applyMode(text: string, mode: number, directory: boolean): number {
  if (/^[0-7]{1,5}$/.test(text)) return Number.parseInt(text, 8) & 0o7777;
  if (!SYMBOLIC.test(text))
    throw invalidArgument(`invalid mode ${JSON.stringify(text)}`, { hint: 'Use 0755 or u+x,go-w.' });
  const before = mode & 0o7777;
  return new SymbolicMode(before, directory || (before & 0o111) !== 0).apply(text);
}

class SymbolicMode {
  #mode: number;
  /** Whether `X` sets anything. */
  readonly #executable: boolean;
  /** The bits of the classes named; 0 when none is, which is everyone but for the sticky bit. */
  #who = 0;

  constructor(mode: number, executable: boolean) {
    this.#mode = mode;
    this.#executable = executable;
  }

  apply(text: string): number {
    for (const clause of text.split(',')) {
      this.#who = 0;
      for (const name of /^[ugoa]*/.exec(clause)![0]) this.#who |= CLASS_BITS[name]!;
      for (const [, operator, letters] of clause.matchAll(/([-+=])([rwxXstugo]*)/g)) this.#action(operator!, letters!);
    }
    return this.#mode;
  }

  #action(operator: string, letters: string): void {
    this.#who &= ~STICKY;
    let bits = 0;
    let conditional = false;
    // `=` takes everything away once, whether or not bits are given.
    let pending = operator === '=';
    const flush = (force: boolean) => {
      if (bits !== 0 || force) this.#change(operator, bits);
      if (conditional) this.#set(0o111);
      bits = 0;
      conditional = false;
    };
    for (const letter of letters) {
      if (letter === 'X' && operator !== '-') conditional = this.#executable;
      else if (letter === 'X') bits |= LETTER_BITS['x']!;
      else if (letter in CLASS_SHIFT) {
        // Copying comes after what stands before it, and takes away for itself.
        pending = false;
        flush(false);
        this.#copy(letter, operator);
      } else if (letter !== 's' && letter !== 't') bits |= LETTER_BITS[letter]!;
      else if (this.#who === 0 || (this.#who & ~0o007) !== 0) {
        // Others alone have neither set-id nor sticky bit.
        if (letter === 't') this.#who |= STICKY;
        bits |= LETTER_BITS[letter]!;
      }
    }
    flush(pending);
  }

  #change(operator: string, bits: number): void {
    if (operator === '=') this.#mode &= ~(this.#who || EVERYONE);
    if (operator === '-') this.#mode &= ~this.#ofClasses(bits);
    else this.#set(bits);
  }

  #set(bits: number): void {
    this.#mode |= this.#ofClasses(bits);
  }

  #ofClasses(bits: number): number {
    return this.#who === 0 ? bits : bits & this.#who;
  }

  /** The permissions that one class has now, for the classes named. */
  #copy(from: string, operator: string): void {
    const bits = (this.#mode >> CLASS_SHIFT[from]!) & 0o7;
    for (const [name, shift] of Object.entries(CLASS_SHIFT)) {
      if (this.#who !== 0 && (this.#who & CLASS_BITS[name]! & 0o444) === 0) continue;
      if (operator === '=') this.#mode &= ~(0o7 << shift);
      if (operator === '-') this.#mode &= ~(bits << shift);
      else this.#mode |= bits << shift;
    }
  }
}
