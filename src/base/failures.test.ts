import { describe, expect, test } from 'vitest';
import { CodedError, codesOfReason, failureKind, parseReason, REASONS, restated, statusWord } from './index.ts';

describe('the table of reasons', () => {
  test.each(REASONS)('%s: each code it may have is a failure of a known fault with a word for the status', (reason) => {
    for (const code of codesOfReason(reason)) {
      const error = new CodedError(code, 'x', { reason });
      expect(error.fault).toMatch(/^(user|policy|infrastructure|cancelled)$/);
      expect(statusWord(code, reason)).toMatch(/^[A-Z][A-Za-z]{2,127}$/);
    }
    expect(failureKind(reason).text).toMatch(/^[A-Z].*\.$/);
  });

  test('a failure is made of its row, and what is said there counts before it', () => {
    expect(CodedError.of('RUN_TIMEOUT', 'too long')).toMatchObject({
      ...{ code: 'deadline_exceeded', fault: 'user', reason: 'RUN_TIMEOUT', message: 'too long' },
      hint: 'give the build more time, or let it do less',
    });
    expect(CodedError.of('NO_SESSION', 'away', { code: 'unavailable', hint: 'wait' })).toMatchObject({
      ...{ code: 'unavailable', fault: 'infrastructure', reason: 'NO_SESSION', hint: 'wait' },
    });
  });

  test('a reason of another version is none, and its failure is judged by its code', () => {
    for (const other of ['FROM_THE_FUTURE', 'toString', '__proto__', 7, null, undefined])
      expect(parseReason(other)).toBeUndefined();
    expect(parseReason('GIT_AUTH')).toBe('GIT_AUTH');
    expect(statusWord('resource_exhausted', undefined)).toBe('ResourceExhausted');
  });

  test('the word may depend on the code', () => {
    expect(statusWord('not_found', 'REGISTRY_REFUSED')).toBe('ImageNotFound');
    expect(statusWord('unavailable', 'REGISTRY_REFUSED')).toBe('RegistryUnavailable');
    expect(statusWord('permission_denied', 'PUSH_REFUSED')).toBe('PushDenied');
  });

  test('a failure in other words is the same failure', () => {
    const first = CodedError.of('SESSION_LOST', 'gone', { details: [{ type: 't', value: 1 }] });
    expect(restated(first, { message: 'where: gone' })).toMatchObject({
      ...{ message: 'where: gone', code: first.code, fault: first.fault, reason: first.reason, cause: first },
      details: first.details,
    });
  });
});
