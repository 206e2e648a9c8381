import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { must } from './run.ts';

/** Paths of a PEM certificate and its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a test's own. */
export interface Authority extends Certificate {
  /** A certificate of this authority. `names` are DNS names and IP addresses; `organization` is a group towards Kubernetes. */
  issue(
    commonName: string,
    options?: {
      readonly names?: readonly string[];
      readonly organization?: string;
      /** Negative: it has run out. */
      readonly days?: number;
    },
  ): Promise<Certificate>;
}

const DAYS = 2;
let serial = 0;

/** Makes an authority below `folder`, which must be there. */
export async function makeAuthority(folder: string, name: string): Promise<Authority> {
  const at = (file: string) => path.join(folder, file);
  const cert = at(`${name}.crt`);
  const key = at(`${name}.key`);
  await must('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
  await must('openssl', [
    'req',
    '-x509',
    '-new',
    '-key',
    key,
    '-days',
    `${DAYS}`,
    '-subj',
    `/CN=${name}`,
    '-out',
    cert,
  ]);
  return {
    cert,
    key,
    issue: async (commonName, { names = [], organization, days = DAYS } = {}) => {
      const file = `${name}-${++serial}-${commonName.replace(/[^a-z0-9.-]/gi, '_')}`;
      const issued = { cert: at(`${file}.crt`), key: at(`${file}.key`) };
      await must('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', issued.key]);
      const subject = `${organization === undefined ? '' : `/O=${organization}`}/CN=${commonName}`;
      await must('openssl', ['req', '-new', '-key', issued.key, '-subj', subject, '-out', at(`${file}.csr`)]);
      const alternatives = names.map((one) => `${/^[0-9.]+$/.test(one) ? 'IP' : 'DNS'}:${one}`).join(',');
      writeFileSync(
        at(`${file}.ext`),
        `extendedKeyUsage=serverAuth,clientAuth\n${names.length === 0 ? '' : `subjectAltName=${alternatives}\n`}`,
      );
      await must('openssl', [
        ...['x509', '-req', '-in', at(`${file}.csr`), '-CA', cert, '-CAkey', key, '-days', `${days}`],
        ...['-set_serial', String(Date.now() * 1000 + serial), '-extfile', at(`${file}.ext`), '-out', issued.cert],
      ]);
      return issued;
    },
  };
}

/** A file as base64, as kubeconfigs and Secrets hold it. */
export function base64File(file: string): string {
  return readFileSync(file).toString('base64');
}
