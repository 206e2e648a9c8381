import { isDigest } from '../../base/index.ts';
import type { wire } from '../../builder-api/index.ts';
import type { ContentChange } from '../../cache/contenthash/index.ts';
import type { UnreadCache } from '../engine/index.ts';
import type { Cause } from './causes.ts';
import type { DifferingPart } from './earlier-steps.ts';
import type { RecordedPart } from './key-parts.ts';

type MissedStep = wire.slipway.builder.v1.MissedStep.$Properties;

const MOST_VALUE = 200;

/** Members of an action of a file op, by what people write for them. */
const ACTION_WORDS: Readonly<Record<string, string>> = {
  owner: '--chown (owner)',
  mode: '--chmod (mode)',
  modeStr: '--chmod (mode)',
  exclude_patterns: '--exclude',
  include_patterns: 'the include patterns',
  src: 'the source path',
  dest: 'the destination',
  path: 'the path',
  data: 'the content of the file that it writes',
  timestamp: 'the time of what it writes',
  followSymlink: 'whether links are followed',
};
const OPTION_WORDS: Readonly<Record<string, string>> = {
  cwd: 'the working directory',
  user: 'the user',
  network: '--network',
  security: '--security',
  hostname: 'the host name',
  extraHosts: 'the added hosts',
  ulimit: 'the ulimits',
  secretenv: 'the secrets in the environment',
  cdiDevices: '--device',
  actions: 'the number of files or folders that it handles',
};

/** A cause as people and programs are told it. */
export function causeWords(cause: Cause): Told {
  const told = (text: string, short = ''): Told => ({ cause: cause.kind, text, short });
  switch (cause.kind) {
    case 'ignored':
      return told('the build was told to use no cache for it', 'no cache');
    case 'unkeyed':
      return told('it is asked for anew in every build; steps that use it are found by its content');
    case 'pruned':
      return told('its result was in the cache and has been pruned', 'pruned');
    case 'outOfScope':
      return told(
        'only another cache scope of the same owner has its result, which this build may not read',
        'out of scope',
      );
    case 'unreadable':
      return told(unreadable(cause.cache, cause.loss), 'cache unreadable');
    case 'first':
      return told('no build that is recorded here has run a step like it', 'new');
    case 'together':
      return told(
        'everything that it stands on was there before, but not in this combination',
        'changed: what it stands on',
      );
    case 'unfinished':
      return told('nothing of it has changed, but it did not come to its end the last time', 'unfinished');
    case 'gone':
      return told('nothing of it has changed, but its result is not in the cache any more', 'not kept');
    case 'input':
      return { ...told(`what it stands on is another: ${stepName(cause.step)}`), step: stepName(cause.step) };
    case 'content':
      return {
        ...told(
          `what it reads of ${stepName(cause.step)} has changed; which file is not known, since no listing of the earlier state is kept`,
          'changed: files that it reads',
        ),
        step: stepName(cause.step),
      };
    case 'files': {
      const { first, count } = cause.changes;
      const [one] = first;
      const more = count > 1 ? `, and ${count - 1} more` : '';
      const path = one?.path || '/';
      const verb = one?.change === 'added' || one?.change === 'removed' ? one.change : 'changed';
      return {
        ...told(
          `of the files that it reads (${stepName(cause.step)}) ${one === undefined ? '' : fileWords(one)}${more}`,
          `${verb}: ${path}${count > 1 ? ` and ${count - 1} more` : ''}`,
        ),
        step: stepName(cause.step),
        changes: first.map(({ path: name, ...change }) => ({ kind: 'file', name: name || '/', ...change })),
        changeCount: count,
      };
    }
    case 'part': {
      const { part, count } = cause;
      const change = partChange(part);
      const more = count > 1 ? `, and ${count - 1} more` : '';
      return {
        ...told(`${partWords(change)}${more}`, `changed: ${shortPart(part)}`),
        changes: [change],
        changeCount: count,
      };
    }
  }
}

type Told = Omit<MissedStep, 'vertex' | 'name'>;

/** What was not found for a reason of its own, wherever it was looked for. */
const SOUGHT_NOWHERE: ReadonlySet<Cause['kind']> = new Set(['ignored', 'unkeyed']);
/** Where that nothing was found says nothing of what has changed. */
const NOT_THERE: ReadonlySet<Cause['kind']> = new Set(['first', 'gone', 'pruned', 'outOfScope']);
const MOST_UNREAD = 3;

/** The same beside caches in which it may be, and which the build could not read. */
export function withUnread(told: Told, cause: Cause, unread: readonly UnreadCache[]): Told {
  if (unread.length === 0 || SOUGHT_NOWHERE.has(cause.kind)) return told;
  const named = unread.slice(0, MOST_UNREAD).map(({ cache: name, why }) => {
    const which = name === '' ? 'a cache' : `the cache ${name}`;
    return `${which} was not read${why === '' ? '' : ` (${why})`}`;
  });
  const more = unread.length > MOST_UNREAD ? `, and ${unread.length - MOST_UNREAD} more` : '';
  const isShort = NOT_THERE.has(cause.kind);
  return {
    ...told,
    text: `${told.text}; it may be elsewhere: ${named.join(', ')}${more}`,
    ...(isShort ? { short: [told.short, 'cache unreadable'].filter(Boolean).join(', ') } : {}),
    unread: unread.map(({ cache: name, why }) => ({ cache: name, why })),
  };
}

/** A step's name as it is shown: without the digest that stands for what users wrote. */
export function stepName(name: string): string {
  return name.replace(/(?<=^|\] |[A-Z] )sha256:[0-9a-f]{64}$/, '…');
}

function cache(id: string): string {
  return id === ''
    ? 'the builder’s own cache'
    : isDigest(id)
      ? 'an imported cache'
      : `the cache ${id.split(' ', 1)[0]}`;
}

function unreadable(id: string, loss: string | undefined): string {
  const name = cache(id);
  // What was found in a remote cache is a record of the builder's own, and its layers stay where they are until a step needs them.
  const [who, what] = id === '' ? ['whose layers lie in a registry or store that', 'them'] : ['but', 'its layers'];
  switch (loss) {
    case undefined:
      return `${name} could not be read`;
    case 'gone':
      return `${name} has a record of it, but its layers are gone`;
    case 'refused':
      return `${name} has a record of it, ${who} refused to give ${what}`;
    default:
      return `${name} has a record of it, ${who} could not give ${what} now`;
  }
}

function fileWords({ path, change, before, after }: ContentChange): string {
  const name = path || '/';
  const values = before === undefined || after === undefined ? '' : ` (${before} → ${after})`;
  switch (change) {
    case 'added':
      return `${name} is new`;
    case 'removed':
      return `${name} is gone`;
    case 'content':
      return `${name} has another content`;
    case 'mode':
      return `${name} has another mode${values}`;
    case 'owner':
      return `${name} has another owner${values}`;
    case 'kind':
      return `${name} is of another kind${values}`;
    case 'link':
      return `${name} leads elsewhere${values}`;
    case 'attributes':
      return `${name} has other extended attributes`;
    case 'changed':
      return `${name} has changed`;
  }
}

/** A change of a part, as it is told; texts are empty where they are not. */
interface PartChange {
  readonly kind: RecordedPart['kind'];
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly before: string;
  readonly after: string;
}

function partChange({ kind, name, before, after }: DifferingPart): PartChange {
  const change = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  return {
    kind,
    name: nameOf(kind, name),
    change,
    // Values of variables may be secret.
    before: kind === 'env' ? '' : shownValue(name, before),
    after: kind === 'env' ? '' : shownValue(name, after),
  };
}

function nameOf(kind: RecordedPart['kind'], name: string): string {
  if (isDigest(name)) return '';
  return kind === 'action' ? name.replace(/^\d+ /, '') : name;
}

function shownValue(name: string, part: RecordedPart | undefined): string {
  if (part === undefined || !('value' in part)) return '';
  const { value } = part;
  const text = /(?:^| )mode$/.test(name) && /^\d+$/.test(value) ? Number(value).toString(8).padStart(4, '0') : value;
  return text.length > MOST_VALUE ? `${text.slice(0, MOST_VALUE)}…` : text;
}

function partWords({ kind, name, change, before, after }: PartChange): string {
  const what = change === 'added' ? 'is new' : change === 'removed' ? 'is gone' : 'has changed';
  const values = before !== '' && after !== '' ? ` (${before} → ${after})` : '';
  const named = (word: string) => (name === '' ? word : `${word} ${name}`);
  switch (kind) {
    case 'op':
      return `it is another kind of step${values}`;
    case 'platform':
      return `the platform (${name}) ${what}${values}`;
    case 'base':
      return change === 'changed'
        ? `${named('the base image')} ${what}${values}`
        : `${named('the base image')} is another`;
    case 'source':
      return change === 'changed' ? `${named('the source')} ${what}${values}` : `${named('the source')} is another`;
    case 'arg':
      return `the command ${what}${values}`;
    case 'env':
      return `${named(name === '' ? 'a variable (build argument or ENV)' : 'the variable (build argument or ENV)')} ${what}`;
    case 'mount':
      return `${named(name === '' ? 'a mount' : 'the mount')} ${what}${mountMembers(before, after)}`;
    case 'action':
      return `${ACTION_WORDS[name] ?? `the option ${name}`} ${what}${values}`;
    case 'option':
      return `${OPTION_WORDS[name] ?? `the option ${name}`} ${what}${values}`;
  }
}

/** In what of it a mount is another. */
function mountMembers(before: string, after: string): string {
  const members = (text: string): Readonly<Record<string, unknown>> => {
    try {
      const value: unknown = JSON.parse(text);
      return typeof value === 'object' && value !== null ? { ...value } : {};
    } catch {
      // Cut off, or hidden.
      return {};
    }
  };
  const [was, is] = [members(before), members(after)];
  const differing = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter(
    (member) => JSON.stringify(was[member]) !== JSON.stringify(is[member]),
  );
  return before === '' || after === '' || differing.length === 0 ? '' : `: ${differing.join(', ')}`;
}

function shortPart({ kind, name }: DifferingPart): string {
  const shown = nameOf(kind, name);
  switch (kind) {
    case 'op':
      return 'kind of step';
    case 'platform':
      return 'platform';
    case 'base':
      return shown === '' ? 'base image' : shown;
    case 'source':
      return shown === '' ? 'source' : shown;
    case 'arg':
      return 'command';
    case 'env':
      return shown === '' ? 'a variable' : shown;
    case 'mount':
      return shown === '' ? 'a mount' : `mount ${shown}`;
    case 'action':
      return ACTION_WORDS[shown] ?? shown;
    case 'option':
      return OPTION_WORDS[shown] ?? shown;
  }
}
