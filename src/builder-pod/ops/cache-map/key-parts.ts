import { digestOf, goJson } from '../../../base/index.ts';
import type { KeyPart } from '../../../solver/ports.ts';
import type { SourceKey } from '../../sources/source.ts';

const PLATFORM = new Set(['OS', 'Arch', 'Variant', 'OSVersion', 'OSFeatures']);

type Made = Readonly<Record<string, unknown>>;

/**
 * What an op's digest is made of, one by one: of two ops with different digests at least one part differs. Whole files come as their digest. Told by the value
 * whose JSON is hashed, so that nothing can be forgotten; what is not known here by name is an option.
 */
export function keyParts(made: Made): readonly KeyPart[] {
  const parts: KeyPart[] = [];
  const add = (kind: KeyPart['kind'], name: string, value: unknown) => {
    if (value !== undefined) parts.push({ kind, name, value: textOf(value) });
  };
  for (const [name, value] of Object.entries(made)) {
    if (name === 'Type') add('op', '', value);
    else if (PLATFORM.has(name)) add('platform', name, value);
    else if (name === 'Exec') execParts(value as Made, add);
    else if (name === 'Actions') actionParts(value as readonly Made[], add);
    else add('option', name, value);
  }
  return parts;
}

type Add = (kind: KeyPart['kind'], name: string, value: unknown) => void;

/** The same of a source's key. Addresses are told without what may be secret in them. */
export function sourceParts(identifier: string, { key, pin, resolved, made }: SourceKey): readonly KeyPart[] {
  const kind = resolved?.kind === 'image' ? 'base' : 'source';
  const name =
    resolved?.kind === 'image' ? resolved.name : identifier.replace(/[?#].*$/s, '').replace(/\/\/[^/]*@/, '//');
  const told = Object.entries(made ?? { key }).map(([member, value]) => [
    member,
    member === 'Header' ? secret(value) : value,
  ]);
  const parts = keyParts({ Type: 'buildkit.source.v0', ...Object.fromEntries(told) });
  return pin === undefined ? parts : [{ kind, name, value: pin }, ...parts.filter(({ value }) => value !== pin)];
}

/** Headers of a request may be credentials. */
function secret(value: unknown): string {
  return digestOf(goJson(value));
}

function execParts({ meta, mounts, ...options }: Made, add: Add): void {
  const { args, env, ...others } = (meta ?? {}) as Made;
  for (const [at, arg] of ((args ?? []) as readonly string[]).entries()) add('arg', `${at}`, arg);
  for (const entry of (env ?? []) as readonly string[]) {
    const at = entry.indexOf('=');
    if (at < 0) add('env', '', entry);
    else add('env', entry.slice(0, at), entry.slice(at + 1));
  }
  for (const { dest, ...mount } of (mounts ?? []) as readonly Made[]) add('mount', textOf(dest ?? ''), mount);
  for (const [name, value] of Object.entries({ ...others, ...options })) add('option', name, value);
}

function actionParts(actions: readonly Made[], add: Add): void {
  add('option', 'actions', actions.length);
  for (const [at, action] of actions.entries())
    for (const [name, value] of Object.entries(action)) add('action', `${at} ${name}`, value);
}

function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return digestOf(value);
  return typeof value === 'string' ? value : goJson(value);
}
