import { expect, test } from 'vitest';
import { CodedError } from '../../base/index.ts';
import { withoutOwnPaths } from './own-paths.ts';

test('an error that a tenant is shown names no path of the builder', () => {
  const error = Object.assign(new Error("ENOSPC: no space left, open '/var/lib/slipway/snapshots/7/fs/x'"), {
    code: 'ENOSPC',
  });
  expect(withoutOwnPaths(error, '/var/lib/slipway')).toMatchObject({
    code: 'resource_exhausted',
    fault: 'infrastructure',
    message: "ENOSPC: no space left, open '<builder>/snapshots/7/fs/x'",
  });
  const git = new CodedError('unavailable', 'ssh: /tmp/slipway-git-Ab12/known_hosts: no such host', {
    reason: 'GIT_HOST_KEY',
    hint: 'see /state/x',
    details: [{ type: 'errdefs.Vertex', value: {} }],
  });
  expect(withoutOwnPaths(git, '/state')).toMatchObject({
    message: 'ssh: <builder>/known_hosts: no such host',
    hint: 'see <builder>/x',
    reason: 'GIT_HOST_KEY',
    details: git.details,
  });
});

test('others stay what they are, to the object', () => {
  const error = new CodedError('not_found', 'COPY /etc/passwd: not found');
  expect(withoutOwnPaths(error, '/var/lib/slipway')).toBe(error);
});
