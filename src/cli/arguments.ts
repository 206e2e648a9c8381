import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { z } from 'zod';
import { invalidArgument } from '../base/index.ts';

/** Flags of a command without arguments. @throws CodedError invalid_argument */
export function readFlags<S extends z.ZodType>(
  command: string,
  args: readonly string[],
  options: ParseArgsConfig['options'],
  schema: S,
): z.output<S> {
  return readArguments(command, args, options, schema, 0).data;
}

/** Flags and arguments of a command, checked. @throws CodedError invalid_argument that names the flag */
export function readArguments<S extends z.ZodType>(
  command: string,
  args: readonly string[],
  options: ParseArgsConfig['options'],
  schema: S,
  mostPositionals: number,
): { readonly data: z.output<S>; readonly positionals: readonly string[] } {
  const hint = `'slipway help ${command}' lists the flags`;
  let values: unknown;
  let positionals: readonly string[];
  try {
    const allowPositionals = mostPositionals > 0;
    ({ values, positionals } = parseArgs({ args: [...args], options: options ?? {}, allowPositionals }));
  } catch (error) {
    throw invalidArgument(`slipway ${command}: ${(error as Error).message}`, { hint });
  }
  if (positionals.length > mostPositionals)
    throw invalidArgument(
      `slipway ${command}: ${JSON.stringify(positionals[mostPositionals])} is one argument too many`,
      {
        hint,
      },
    );
  const parsed = schema.safeParse(values);
  if (parsed.success) return { data: parsed.data, positionals };
  const issue = parsed.error.issues[0];
  throw invalidArgument(`slipway ${command}: --${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`, { hint });
}
