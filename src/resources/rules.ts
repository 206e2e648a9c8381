import type { z } from 'zod';

/** What holds beyond the shape of a value, said once for the command (`holds`) and once for the API server (`cel`, where `self` is the value). */
export interface Rule<V> {
  readonly message: string;
  readonly holds: (value: V) => boolean;
  readonly cel: string;
  /** Field that the command names. */
  readonly path?: readonly string[];
}

/** The schema with its rules: zod refinements here, `x-kubernetes-validations` in the CRD. */
export function rule<S extends z.ZodType>(schema: S, ...rules: readonly Rule<z.output<S>>[]): S {
  let refined = schema;
  for (const { holds, message, path } of rules)
    refined = refined.refine((value) => holds(value as z.output<S>), {
      message,
      ...(path === undefined ? {} : { path: [...path] }),
    }) as S;
  return refined.meta({
    'x-kubernetes-validations': rules.map(({ cel, message }) => ({ rule: cel, message })),
  }) as S;
}

/** Exactly one of these fields is set. */
export function exactlyOneOf(fields: readonly string[]): Rule<object> {
  return {
    message: `exactly one of ${fields.join(', ')} must be set`,
    holds: (value) =>
      fields.filter((field) => (value as Readonly<Record<string, unknown>>)[field] !== undefined).length === 1,
    cel: `[${fields.map((field) => `has(self.${field})`).join(', ')}].filter(set, set).size() == 1`,
  };
}

/** At most one of two fields is set. */
export function exclude(one: string, other: string, path?: readonly string[]): Rule<object> {
  return {
    message: `${one} and ${other} exclude each other`,
    holds: (value) => {
      const fields = value as Readonly<Record<string, unknown>>;
      return fields[one] === undefined || fields[other] === undefined;
    },
    cel: `!(has(self.${one}) && has(self.${other}))`,
    ...(path === undefined ? {} : { path }),
  };
}
