import type { SshKey } from './ssh-key.ts';

/** Numbers of the agent protocol (draft-ietf-sshm-ssh-agent, 5.1). */
const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const RSA_SHA2_256 = 2;
const RSA_SHA2_512 = 4;
/** As OpenSSH's agent. */
const MAX_MESSAGE = 256 * 1024;

/** Answers one connection to an ssh agent that has these keys: it lists them and signs with them, and refuses all else. */
export async function* serveAgent(
  requests: AsyncIterable<{ readonly data: Uint8Array }>,
  keys: readonly SshKey[],
): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const { data } of requests) {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 4) {
      const size = rest.readUInt32BE(0);
      if (size === 0 || size > MAX_MESSAGE) return;
      if (rest.length < 4 + size) break;
      yield text(answer(rest.subarray(4, 4 + size), keys));
      rest = rest.subarray(4 + size);
    }
  }
}

function answer(message: Buffer, keys: readonly SshKey[]): Buffer {
  try {
    switch (message[0]) {
      case REQUEST_IDENTITIES:
        return Buffer.concat([
          Buffer.from([IDENTITIES_ANSWER]),
          number(keys.length),
          ...keys.flatMap(({ publicBlob }) => [text(publicBlob), text(Buffer.from('slipway'))]),
        ]);
      case SIGN_REQUEST: {
        const [blob, afterBlob] = readText(message, 1);
        const [data, afterData] = readText(message, afterBlob);
        const key = keys.find(({ publicBlob }) => publicBlob.equals(blob));
        if (key === undefined) return Buffer.from([FAILURE]);
        const flags = message.readUInt32BE(afterData);
        const hash =
          key.type !== 'ssh-rsa'
            ? undefined
            : flags & RSA_SHA2_512
              ? 'sha512'
              : flags & RSA_SHA2_256
                ? 'sha256'
                : undefined;
        const algorithm = hash === undefined ? key.type : hash === 'sha512' ? 'rsa-sha2-512' : 'rsa-sha2-256';
        const signature = Buffer.concat([text(Buffer.from(algorithm)), text(key.sign(data, hash))]);
        return Buffer.concat([Buffer.from([SIGN_RESPONSE]), text(signature)]);
      }
    }
  } catch {
    // Cut short, or a key that cannot: the client is told no.
  }
  return Buffer.from([FAILURE]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(bytes: Uint8Array): Buffer {
  return Buffer.concat([number(bytes.length), bytes]);
}

function readText(message: Buffer, at: number): [Buffer, number] {
  const end = at + 4 + message.readUInt32BE(at);
  if (end > message.length) throw new RangeError('cut short');
  return [message.subarray(at + 4, end), end];
}
