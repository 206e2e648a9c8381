import { connect } from 'node:http2';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { clientPreamble, http2Options } from './options.ts';

test('the preamble is what node:http2 says first', async () => {
  const said: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const preamble = clientPreamble();
  const socket = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      said.push(chunk);
      if (Buffer.concat(said).length >= preamble.length) resolve();
      done();
    },
  });
  const session = connect('http://localhost', { ...http2Options(), createConnection: () => socket });
  await promise;
  session.destroy();
  expect(Buffer.concat(said).subarray(0, preamble.length)).toEqual(preamble);
});
