import { CodedError, type ImageReference } from '../../base/index.ts';
import { pushError } from '../../oci/registry-client/index.ts';
import { SigningKey, signImage } from '../../oci/signature/index.ts';
import type { ExportOptions } from './attributes.ts';
import type { ExportContext, ExportedImage, ExporterDeps } from './ports.ts';
import { withRow } from './progress.ts';

/** Ids of the secrets that hold the key and its password. */
interface SigningSecrets {
  readonly key: string;
  readonly password: string | undefined;
}

/** `sign-key=ID` and `sign-password=ID`, Slipway's own: secrets of the client. @throws CodedError for what would sign nothing */
export function signingSecrets(options: ExportOptions, push: boolean): SigningSecrets | undefined {
  const key = options.text('sign-key') || undefined;
  const password = options.text('sign-password') || undefined;
  if (key === undefined && password === undefined) return undefined;
  if (key === undefined || !push)
    throw CodedError.of(
      'EXPORT_ATTRIBUTE',
      key === undefined ? 'sign-password is given without sign-key' : 'sign-key needs push=true',
      { hint: 'signatures lie beside the image in its registry' },
    );
  return { key, password };
}

/** Signs what was pushed, once in each repository. */
export async function signPushed(
  root: ExportedImage['root'],
  names: readonly ImageReference[],
  { insecure, secrets }: { readonly insecure: boolean; readonly secrets: SigningSecrets },
  deps: Pick<ExporterDeps, 'openRepository' | 'secret'>,
  context: ExportContext,
): Promise<void> {
  const { signal, sessions } = context;
  const secret = async (id: string) => await deps.secret?.(id, sessions(), { signal });
  const pem = await secret(secrets.key);
  if (pem === undefined)
    throw CodedError.of('SECRET_MISSING', `the signing key, secret ${secrets.key}: not found`, {
      hint: `give it to the build, e.g. --secret id=${secrets.key},src=cosign.key`,
    });
  const password = secrets.password === undefined ? undefined : await secret(secrets.password);
  const key = await SigningKey.parse(pem, password);
  for (const [, references] of Map.groupBy(names, ({ domain, path }) => `${domain}/${path}`)) {
    const { domain, path } = references[0] as ImageReference;
    await withRow(context, `signing ${domain}/${path}@${root.digest}`, async () => {
      const repository = deps.openRepository({ domain, path }, { insecure, sessions });
      try {
        await signImage(repository, { domain, path, digest: root.digest }, key, { signal });
      } catch (error) {
        signal.throwIfAborted();
        throw pushError(error, `failed to sign ${domain}/${path}@${root.digest}`);
      }
    });
  }
}
