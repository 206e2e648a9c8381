import { CodedError } from '../../base/index.ts';

/** A private key that an agent signs with. */
export interface SshKey {
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`, … */
  readonly type: string;
  /** The public key as ssh writes it. */
  readonly publicBlob: Buffer;
  /** The signature as ssh writes it, without the name of its algorithm. `hash` is for RSA only. */
  sign(data: Uint8Array, hash?: 'sha256' | 'sha512'): Buffer;
}

/** A private key without a passphrase, in OpenSSH's or a PEM form. @throws CodedError invalid_argument; the message holds nothing of the key */
export async function parseSshKey(text: string): Promise<SshKey> {
  // Few need it, and it takes its time to load.
  const { default: ssh2 } = await import('ssh2');
  const parsed = ssh2.utils.parseKey(text.trim() === '' ? 'none' : `${text.trim()}\n`);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error)
    throw CodedError.of(
      'SSH_KEY',
      key instanceof Error && /passphrase|encrypted/i.test(key.message)
        ? 'the ssh key has a passphrase'
        : 'not a private ssh key',
      { hint: 'give a private key without passphrase, as ssh-keygen -N "" makes it' },
    );
  if (!key.isPrivateKey())
    throw CodedError.of('SSH_KEY', 'not a private ssh key but a public one', { hint: 'give the file without .pub' });
  return {
    type: key.type,
    publicBlob: key.getPublicSSH(),
    sign: (data, hash) => {
      // The types lack that RSA's hash can be told (ssh2, "sign(data, algo)").
      const sign = key.sign.bind(key) as (data: Buffer, hash?: string) => Buffer | Error;
      const signature = sign(Buffer.from(data), hash);
      if (signature instanceof Error) throw signature;
      return key.type.startsWith('ecdsa-') ? sshForm(signature) : signature;
    },
  };
}

/** DER of two integers as two mpints (RFC 5656, 3.1.2). */
function sshForm(der: Buffer): Buffer {
  const parts: Buffer[] = [];
  // SEQUENCE { INTEGER r, INTEGER s }: lengths below 128, but for the outer one with P-521.
  for (let at = (der[1] as number) & 0x80 ? 3 : 2; at < der.length; ) {
    const size = der[at + 1] as number;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(size);
    parts.push(length, der.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return Buffer.concat(parts);
}
