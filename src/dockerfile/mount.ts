import { invalidArgument } from '../base/index.ts';
import { didYouMean } from './suggest.ts';
import { csvFields, cut, parseBoolean, quote } from './text.ts';

/** `RUN --mount`. */
export interface Mount {
  readonly type: MountType;
  readonly from: string;
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  /** Bytes; 0 is no limit. */
  readonly size: number;
  readonly id: string;
  readonly sharing: '' | Sharing;
  readonly required: boolean;
  /** A secret's environment variable. */
  readonly env: string | undefined;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const SHARING = ['shared', 'private', 'locked'] as const;
type MountType = (typeof TYPES)[number];
type Sharing = (typeof SHARING)[number];

/** In the order in which they are suggested where several are as near. */
const KEYS: Readonly<Record<string, string>> = {
  type: 'type',
  from: 'from',
  source: 'source',
  target: 'target',
  readonly: 'readonly',
  id: 'id',
  sharing: 'sharing',
  required: 'required',
  size: 'size',
  mode: 'mode',
  uid: 'uid',
  gid: 'gid',
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
  readwrite: 'readwrite',
  env: 'env',
};

type Draft = { -readonly [K in keyof Mount]?: Mount[K] } & { type: MountType };

/** The `from` of a mount that is not expanded yet: stages must be known before anything runs. */
export function mountSource(text: string): string {
  let from = '';
  for (const [key, value] of fieldsOf(text)) {
    if (key !== 'from' || value === undefined) continue;
    const dollar = value.indexOf('$');
    if (dollar >= 0 && dollar !== value.length - 1)
      throw invalidArgument("'from' doesn't support variable expansion, define alias stage instead");
    from = value;
  }
  return from;
}

/** Reads one `--mount` value, each value expanded first. @throws CodedError naming the key */
export function parseMount(text: string, expandValue: (value: string) => string): Mount {
  const draft: Draft = { type: 'bind' };
  for (const [key, rawValue, field] of fieldsOf(text)) {
    if (rawValue === undefined) applyBare(draft, key, field);
    else applyValue(draft, key, expandValue(rawValue), field);
  }
  return checked(draft);
}

function fieldsOf(text: string): [key: string, value: string | undefined, field: string][] {
  if (text === '') throw invalidArgument('failed to parse csv mounts: EOF');
  const fields = csvFields(text);
  if (fields === undefined) throw invalidArgument(`failed to parse csv mounts: bad quoting in ${quote(text)}`);
  return fields.map((field) => {
    const [key, value] = cut(field, '=');
    return [key.toLowerCase(), value, field];
  });
}

function applyBare(draft: Draft, key: string, field: string): void {
  switch (KEYS[key]) {
    case 'readonly':
      draft.readonly = true;
      return;
    case 'readwrite':
      draft.readonly = false;
      return;
    case 'required':
      setRequired(draft, key, true);
      return;
    default:
      throw invalidArgument(`invalid field '${field}' must be a key=value pair`);
  }
}

function applyValue(draft: Draft, key: string, value: string, field: string): void {
  switch (Object.hasOwn(KEYS, key) ? KEYS[key] : undefined) {
    case 'type':
      draft.type = oneOf(TYPES, value, 'mount type');
      return;
    case 'from':
      draft.from = value;
      return;
    case 'source':
      draft.source = value;
      return;
    case 'target':
      draft.target = value;
      return;
    case 'readonly':
      draft.readonly = booleanOf(key, value);
      return;
    case 'readwrite':
      draft.readonly = !booleanOf(key, value);
      return;
    case 'required':
      setRequired(draft, key, booleanOf(key, value));
      return;
    case 'size':
      if (draft.type !== 'tmpfs') throw unexpected(draft, key);
      draft.size = parseSize(key, value);
      return;
    case 'id':
      draft.id = value;
      return;
    case 'sharing':
      draft.sharing = oneOf(SHARING, value, 'sharing value');
      return;
    case 'mode':
      draft.mode = parseNumber('mode', value, 8);
      return;
    case 'uid':
      draft.uid = parseNumber('uid', value, 10);
      return;
    case 'gid':
      draft.gid = parseNumber('gid', value, 10);
      return;
    case 'env':
      draft.env = value;
      return;
    default:
      throw invalidArgument(`unexpected key '${key}' in '${field}'${didYouMean(key, Object.keys(KEYS))}`);
  }
}

function unexpected(draft: Draft, key: string): Error {
  return invalidArgument(`unexpected key '${key}' for mount type '${draft.type}'`);
}

function setRequired(draft: Draft, key: string, value: boolean): void {
  if (draft.type !== 'secret' && draft.type !== 'ssh') throw unexpected(draft, key);
  draft.required = value;
}

function booleanOf(key: string, value: string): boolean {
  const parsed = parseBoolean(value);
  if (parsed === undefined) throw invalidArgument(`invalid value for ${key}: ${value}`);
  return parsed;
}

function oneOf<T extends string>(allowed: readonly T[], value: string, what: string): T {
  const found = allowed.find((item) => item === value.toLowerCase());
  if (found === undefined) throw invalidArgument(`unsupported ${what} ${quote(value)}${didYouMean(value, allowed)}`);
  return found;
}

function parseNumber(key: string, value: string, radix: 8 | 10): number {
  const number = (radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(value) ? Number.parseInt(value, radix) : Number.NaN;
  if (!(number <= 0xffffffff)) throw invalidArgument(`invalid value ${value} for ${key}`);
  return number;
}

/** `64m`, `1.5g`, `4096`, with an optional `b` or `ib`: powers of 1024. */
function parseSize(key: string, value: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?(?:i?b)?$/i.exec(value);
  if (match === null) throw invalidArgument(`invalid value for ${key}: ${value}`);
  const power = match[2] === undefined ? 0 : 'kmgtp'.indexOf(match[2].toLowerCase()) + 1;
  return Math.trunc(Number(match[1]) * 1024 ** power);
}

function checked(draft: Draft): Mount {
  const { type } = draft;
  if (type === 'bind' || type === 'tmpfs') {
    for (const key of ['mode', 'uid', 'gid'] as const)
      if (draft[key] !== undefined) throw invalidArgument(`${key} not allowed for ${quote(type)} type mounts`);
  }
  const mount: Mount = {
    type,
    from: draft.from ?? '',
    source: draft.source ?? '',
    target: draft.target ?? '',
    readonly: draft.readonly ?? (type !== 'cache' && type !== 'tmpfs'),
    size: draft.size ?? 0,
    id: draft.id ?? '',
    sharing: draft.sharing ?? '',
    required: draft.required ?? false,
    env: draft.env,
    mode: draft.mode,
    uid: draft.uid,
    gid: draft.gid,
  };
  if (type === 'secret') {
    if (mount.from !== '') throw invalidArgument('secret mount should not have a from');
    if (mount.sharing !== '') throw invalidArgument('secret mount should not define sharing');
    if (mount.source === '' && mount.target === '' && mount.id === '')
      throw invalidArgument('invalid secret mount. one of source, target required');
    if (mount.source !== '' && mount.id !== '') throw invalidArgument("both source and id can't be set");
  }
  if (mount.sharing !== '' && type !== 'cache') throw invalidArgument(`invalid cache sharing set for ${type} mount`);
  return mount;
}
