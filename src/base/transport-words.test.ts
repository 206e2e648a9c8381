import { expect, test } from 'vitest';
import { CodedError } from './errors.ts';
import { requestWords, transportWords } from './transport-words.ts';

function failure(message: string, more: object = {}): Error {
  return Object.assign(new Error(message), more);
}

// The texts are those of buildkitd 0.34 for the same faults.
test.each([
  [
    { code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: 1 },
    'dial tcp 127.0.0.1:1: connect: connection refused',
  ],
  [
    { code: 'ECONNREFUSED', syscall: 'connect', address: '::1', port: 1 },
    'dial tcp [::1]:1: connect: connection refused',
  ],
  [
    { code: 'EHOSTUNREACH', syscall: 'connect', address: '10.0.0.1', port: 443 },
    'dial tcp 10.0.0.1:443: connect: no route to host',
  ],
  [{ code: 'ETIMEDOUT', syscall: 'connect', address: '10.0.0.1', port: 443 }, 'dial tcp 10.0.0.1:443: i/o timeout'],
  [{ code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'a.invalid' }, 'dial tcp: lookup a.invalid: no such host'],
  [{ code: 'ECONNRESET', syscall: 'read' }, 'read: connection reset by peer'],
  [{ code: 'EPIPE', syscall: 'write' }, 'write: broken pipe'],
  [
    { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    'tls: failed to verify certificate: x509: certificate signed by unknown authority',
  ],
  [
    { code: 'CERT_HAS_EXPIRED' },
    'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  ],
  [
    {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      host: 'localhost',
      cert: { subjectaltname: 'DNS:other.test, IP Address:10.0.0.1' },
    },
    'tls: failed to verify certificate: x509: certificate is valid for other.test, 10.0.0.1, not localhost',
  ],
  [{ code: 'ERR_MADE_UP' }, 'its own words'],
])('%j', (fault, words) => {
  expect(transportWords(failure('its own words', fault))).toBe(words);
});

test.each([
  ['socket hang up', 'ECONNRESET', 'EOF'],
  ['aborted', 'ECONNRESET', 'unexpected EOF'],
  ['unexpected end of file', 'Z_BUF_ERROR', 'unexpected EOF'],
  [
    'write EPROTO 00:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../a.c:78:',
    'EPROTO',
    'http: server gave HTTP response to HTTPS client',
  ],
  [
    'write EPROTO 00:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:../a.c:1:',
    'EPROTO',
    'remote error: tls: handshake failure',
  ],
])('%s', (message, code, words) => {
  expect(transportWords(failure(message, { code, syscall: code === 'EPROTO' ? 'write' : undefined }))).toBe(words);
});

test('of several addresses the first is told, and a failure of ours keeps its words', () => {
  const of = (address: string) => failure('', { code: 'ECONNREFUSED', syscall: 'connect', address, port: 1 });
  const both = new AggregateError([of('127.0.0.1'), of('::1')]);
  expect(requestWords('HEAD', 'http://localhost:1/v2/', both)).toBe(
    'Head "http://localhost:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
  );
  expect(transportWords(new CodedError('permission_denied', 'no'))).toBe('no');
});
