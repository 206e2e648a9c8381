import { writeFileSync } from 'node:fs';
import { type Authority, base64File, type Certificate } from './certificates.ts';

/** Writes a kubeconfig of one user, who shows a certificate or a token; its path. */
export function writeKubeconfig(
  file: string,
  url: string,
  ca: Authority,
  user: Certificate | { readonly token: string },
): string {
  const shown =
    'token' in user
      ? `token: ${user.token}`
      : `client-certificate-data: ${base64File(user.cert)}, client-key-data: ${base64File(user.key)}`;
  const text = `apiVersion: v1
kind: Config
clusters: [{ name: e2e, cluster: { server: "${url}", certificate-authority-data: ${base64File(ca.cert)} } }]
users: [{ name: user, user: { ${shown} } }]
contexts: [{ name: e2e, context: { cluster: e2e, user: user, namespace: default } }]
current-context: e2e
`;
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}
