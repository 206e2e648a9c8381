import { expect } from 'vitest';
import { CodedError } from '../../../base/index.ts';

export const never = new AbortController().signal;
export const request = { options: new Map<string, string>(), inputs: new Map() };

export async function failureOf(promise: Promise<unknown>): Promise<CodedError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CodedError);
  return error as CodedError;
}

export function withOptions(options: Record<string, string>) {
  return { ...request, options: new Map(Object.entries(options)) };
}
