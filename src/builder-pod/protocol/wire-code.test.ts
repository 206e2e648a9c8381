import { expect, test } from 'vitest';
import { CodedError, cancelledError } from '../../base/index.ts';
import { errorOfStatus, statusOfError } from '../../builder-api/index.ts';
import { buildkitCode } from './wire-code.ts';

const UNKNOWN = 2;

test('failures have no code on the wire, and are what they were for a client of ours', () => {
  const error = new CodedError('unavailable', 'no route', { reason: 'REGISTRY_CONNECTION', hint: 'try again' });
  const status = statusOfError(error, buildkitCode);
  expect(status).toMatchObject({ code: UNKNOWN, message: 'no route' });
  expect(errorOfStatus(status)).toMatchObject({
    ...{
      code: 'unavailable',
      message: 'no route',
      fault: 'infrastructure',
      reason: 'REGISTRY_CONNECTION',
      hint: 'try again',
    },
  });
});

test.each([
  ['a cancellation', cancelledError(), 1],
  ['a build that nobody knows', new CodedError('not_found', 'no such job', { reason: 'BUILD_UNKNOWN' }), 5],
  [
    'a capability that the frontend lacks',
    new CodedError('unimplemented', 'no', { details: [{ type: 'errdefs.FrontendCap', value: { name: 'x' } }] }),
    12,
  ],
])('%s has its code: clients act on it', (_, error, code) => {
  expect(statusOfError(error, buildkitCode).code).toBe(code);
});
