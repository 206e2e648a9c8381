import { CodedError, invalidArgument } from '../base/index.ts';
import { DirectiveReader } from './directives.ts';
import type { LintRule } from './lint-rules.ts';
import type { Location } from './location.ts';
import { cut, parseBoolean, quote } from './text.ts';

/** What a check directive or build argument says. */
export interface LintOptions {
  readonly skipAll: boolean;
  readonly skip: readonly string[];
  readonly experimentalAll: boolean;
  readonly experimental: readonly string[];
  /** A finding fails the build. */
  readonly error: boolean;
}

export interface LintFinding {
  readonly rule: LintRule;
  readonly message: string;
  readonly location: Location | undefined;
}

const NO_OPTIONS: LintOptions = { skipAll: false, skip: [], experimentalAll: false, experimental: [], error: false };

/** Reads `skip=A,B;error=true;experimental=all`. @throws CodedError on anything else */
export function parseLintOptions(text: string): LintOptions {
  if (text.trim() === '') return NO_OPTIONS;
  let options = NO_OPTIONS;
  for (const part of text.trim().split(';')) {
    const [name, raw] = cut(part, '=');
    if (raw === undefined) throw invalidArgument(`invalid check option ${quote(part)}`);
    const value = raw.trim();
    const names = value.split(',').map((item) => item.trim());
    switch (name.trim()) {
      case 'skip':
        options = value === 'all' ? { ...options, skipAll: true } : { ...options, skip: names };
        break;
      case 'experimental':
        options = value === 'all' ? { ...options, experimentalAll: true } : { ...options, experimental: names };
        break;
      case 'error': {
        const error = parseBoolean(value);
        if (error === undefined)
          throw invalidArgument(
            `failed to parse check option ${quote(part)}: strconv.ParseBool: parsing ${quote(value)}: invalid syntax`,
          );
        options = { ...options, error };
        break;
      }
      default:
        throw invalidArgument(`invalid check option ${quote(name.trim())}`);
    }
  }
  return options;
}

/** Reports findings of the rules that the options let through. */
export class Linter {
  readonly #options: LintOptions;
  readonly #report: (finding: LintFinding) => void;
  readonly #called: Set<string>;

  constructor(options: LintOptions, report: (finding: LintFinding) => void, called = new Set<string>()) {
    this.#options = options;
    this.#report = report;
    this.#called = called;
  }

  static readonly silent = new Linter({ ...NO_OPTIONS, skipAll: true }, () => {});

  /** The message is made where somebody reads it, if it takes long. */
  run(rule: LintRule, location: Location | undefined, message: string | (() => string)): void {
    const { skipAll, skip, experimentalAll, experimental } = this.#options;
    if (rule.experimental ? !experimentalAll && !experimental.includes(rule.name) : skipAll || skip.includes(rule.name))
      return;
    this.#called.add(rule.name);
    this.#report({
      rule,
      location,
      get message() {
        return typeof message === 'string' ? message : message();
      },
    });
  }

  /** The linter with what a `check=` comment right above an instruction adds. */
  within(comments: readonly string[]): Linter {
    for (const comment of comments) {
      const directive = new DirectiveReader('').read(comment);
      if (directive?.name !== 'check') continue;
      try {
        const more = parseLintOptions(cut(directive.value, ' ')[0]);
        const merged = {
          skipAll: this.#options.skipAll || more.skipAll,
          skip: [...this.#options.skip, ...more.skip],
          experimentalAll: this.#options.experimentalAll || more.experimentalAll,
          experimental: [...this.#options.experimental, ...more.experimental],
          error: this.#options.error,
        };
        return new Linter(merged, this.#report, this.#called);
      } catch {
        return this;
      }
    }
    return this;
  }

  /** @throws CodedError when findings are to fail the build and there are some */
  assertClean(): void {
    if (this.#options.error && this.#called.size > 0)
      throw CodedError.of('DOCKERFILE_LINT', `lint violation found for rules: ${[...this.#called].join(', ')}`, {
        hint: 'Mend the warnings above, or set error=false in the check directive.',
      });
  }
}
